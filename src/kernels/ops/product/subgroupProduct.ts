import { type OperandKind, operandSource } from './operand.js';
import { declarations, type ProductFeatures } from './parameters.js';
import type { SubgroupTiling } from './productVariant.js';

export interface SubgroupProgram extends ProductFeatures, Pick<SubgroupTiling, 'chunk' | 'quads'> {
  readonly operand: OperandKind;
  readonly divided: boolean;
}

const LANES = 8;
/** Additions into a local value before it goes back to memory: keeps the accumulators out of spilled registers. */
const RUN = 8;
/** Private arrays up to 32 long are taken apart into registers, and the loop over them unrolled. */
const OPAQUE_LENGTH = 40;

/**
 * Product for software adapters whose subgroup of 8 is one SIMD vector of a CPU core. One subgroup is a workgroup; a lane owns
 * one to four quads of columns. A chunk of B is resident in private memory and used for all rows of the block; a row of A comes
 * in lane by lane and is broadcast. Every load is expensive there and every broadcast cheap: docs/kernels.md has the figures.
 */
export function subgroupProductSource(program: SubgroupProgram): string {
  const { chunk, quads, operand, divided, epilogue, partials } = program;
  const each = (make: (quad: number) => string) => Array.from({ length: quads }, (_, j) => make(j)).join('\n');
  const runs = Array.from({ length: chunk / RUN }, (_, run) => {
    const steps = Array.from({ length: RUN }, (_, i) => {
      const k = run * RUN + i;
      const value = `subgroupBroadcast(a${Math.floor(k / LANES)}, ${k % LANES}u)`;
      return `let x${k} = ${value};\n${each((j) => `c${j} += x${k} * b${j}[${k}];`)}`;
    });
    return `{\n${each((j) => `var c${j} = acc[${j}];`)}\n${steps.join('\n')}\n${each((j) => `acc[${j}] = c${j};`)}\n}`;
  });
  const loads = Array.from(
    { length: chunk / LANES },
    (_, i) => `let a${i} = f32(left[row * p.leftStride + min(k0 + ${i * LANES}u + lane, end - 1u)]);`,
  );
  return `${declarations(program)}
${operandSource(operand, divided)}
@compute @workgroup_size(${LANES})
fn main(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_index) lane: u32) {
  let part = block.y / p.rowBlocks;
  let firstRow = (block.y % p.rowBlocks) * p.rowsPerBlock;
  let lastRow = min(firstRow + p.rowsPerBlock, p.rows);
  let group = part % p.groups;
  let begin = (part / p.groups) * p.depthPerPart;
  let end = min(begin + p.depthPerPart, p.depth);
  ${each(
    (j) => `let quad${j} = block.x * ${LANES * quads}u + ${j * LANES}u + lane;
  let inside${j} = quad${j} < p.quads;
  let column${j} = columnAt(min(quad${j}, p.quads - 1u), group);
  var b${j}: array<vec4f, ${Math.max(OPAQUE_LENGTH, chunk)}>;`,
  )}
  var acc: array<vec4f, ${OPAQUE_LENGTH}>;
  // Stores at an index that the compiler cannot know keep the array in memory.
  acc[p.one] = vec4f();
  acc[p.one + block.x % 4u] = vec4f();
  var depth = depthAt(begin);
  for (var k0 = begin; k0 < end; k0 += ${chunk}u) {
    // p.one is 1: with a bound that is not constant the loop stays a loop.
    for (var k = 0u; k < ${chunk}u * p.one; k++) {
      if (k0 + k < end) {
        ${each((j) => `b${j}[k] = rightQuad(depth, column${j});`)}
        depth = nextDepth(depth);
      } else {
        ${each((j) => `b${j}[k] = vec4f();`)}
      }
    }
    for (var m = firstRow; m < lastRow; m++) {
      let row = group * p.rows + m;
      let start = (part * p.rows + m) * p.quads;
      ${each((j) => `acc[${j}] = vec4f();`)}
      if (k0 > begin) {
        ${each((j) => `acc[${j}] = vec4f(${partials ? 'partials' : 'result'}[start + min(quad${j}, p.quads - 1u)]);`)}
      }
      ${loads.join('\n      ')}
      ${runs.join('\n      ')}
      ${
        epilogue
          ? `if (k0 + ${chunk}u >= end) {
        ${each((j) => `acc[${j}] = finish(acc[${j}], row, min(quad${j}, p.quads - 1u));`)}
      }`
          : ''
      }
      ${
        partials
          ? `if (k0 + ${chunk}u < end) {
        ${each((j) => `if (inside${j}) { partials[start + quad${j}] = acc[${j}]; }`)}
        continue;
      }`
          : ''
      }
      ${each((j) => `if (inside${j}) { result[start + quad${j}] = V2(acc[${j}]); }`)}
    }
  }
}`;
}

import { type OperandKind, operandSource } from './operand.js';
import { declarations, type ProductFeatures } from './parameters.js';
import type { WorkgroupTiling } from './productVariant.js';

export interface TiledProgram extends ProductFeatures, WorkgroupTiling {
  readonly operand: OperandKind;
  readonly divided: boolean;
}

/** Bytes of workgroup memory that every adapter offers. */
const WORKGROUP_BYTES = 16384;

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Product for GPUs: a workgroup computes a tile of C from tiles of A and B in workgroup memory, each invocation a few rows of
 * one or two column quads in registers (Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra"). The next
 * tiles are on their way from memory, into registers, while the present ones are multiplied.
 */
export function tiledProductSource(program: TiledProgram): string {
  const { operand, divided, epilogue, leftQuads, tileRows, tileColumns, tileDepth, rows, quads } = program;
  const columnQuads = tileColumns / 4;
  const rowQuads = tileRows / 4;
  const width = columnQuads / quads;
  const height = tileRows / rows;
  const threads = width * height;
  // A quad more per line, where there is room, puts the lines into different banks.
  const isPadded = (rowQuads + 1 + columnQuads) * tileDepth * 16 <= WORKGROUP_BYTES;
  const leftWidth = rowQuads + (isPadded ? 1 : 0);
  /** 4 x 4 blocks of A's tile and quads of B's tile that an invocation brings in. */
  const leftBlocks = (rowQuads * tileDepth) / 4;
  const rightLines = threads / columnQuads;
  const rightLoads = tileDepth / rightLines;
  const components = ['x', 'y', 'z', 'w'];
  const rowsOfLeft = range(rows / 4);
  const cells = range(rows).flatMap((r) => range(quads).map((q) => [r, q] as const));
  return `${declarations(program)}
${operandSource(operand, divided)}
var<workgroup> leftTile: array<array<vec4f, ${leftWidth}>, ${tileDepth}>;
var<workgroup> rightTile: array<array<vec4f, ${columnQuads}>, ${tileDepth}>;

// A[row, k .. k + 3], 0 from \`end\` on; what lies behind a row is unspecified.
fn leftQuad(row: u32, k: u32, end: u32) -> vec4f {
  let inside = k + vec4u(0u, 1u, 2u, 3u) < vec4u(end);
  ${
    leftQuads
      ? `return select(vec4f(), vec4f(left[(row * p.leftStride + min(k, end - 1u)) / 4u]), inside);`
      : `let at = row * p.leftStride + min(k + vec4u(0u, 1u, 2u, 3u), vec4u(end - 1u));
  return select(vec4f(), vec4f(f32(left[at.x]), f32(left[at.y]), f32(left[at.z]), f32(left[at.w])), inside);`
  }
}

@compute @workgroup_size(${width}, ${height})
fn main(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let part = block.y / p.rowBlocks;
  let firstRow = (block.y % p.rowBlocks) * ${tileRows}u;
  let group = part % p.groups;
  let begin = (part / p.groups) * p.depthPerPart;
  let end = min(begin + p.depthPerPart, p.depth);
  // What this invocation brings in: a block of 4 rows and 4 values of k, and quads of one column.
  let leftDepth = (i % ${tileDepth / 4}u) * 4u;
  let leftRow = i / ${tileDepth / 4}u;
  let bringsLeft = i < ${leftBlocks}u;
  let rightQuadIndex = i % ${columnQuads}u;
  let rightLine = i / ${columnQuads}u;
  let column = columnAt(min(block.x * ${columnQuads}u + rightQuadIndex, p.quads - 1u), group);
  var nextLeft: mat4x4f;
  var nextRight: array<vec4f, ${rightLoads}>;
  ${cells.map(([r, q]) => `var c${r}_${q} = vec4f();`).join('\n  ')}
  // One turn more than there are tiles: the first only brings in, the last only multiplies.
  let turns = (end - begin + ${tileDepth - 1}u) / ${tileDepth}u;
  for (var turn = 0u; turn <= turns; turn++) {
    let k0 = begin + turn * ${tileDepth}u;
    if (turn < turns) {
      if (bringsLeft) {
        for (var r = 0u; r < 4u; r++) {
          let row = group * p.rows + min(firstRow + leftRow * 4u + r, p.rows - 1u);
          nextLeft[r] = leftQuad(row, k0 + leftDepth, end);
        }
      }
      for (var j = 0u; j < ${rightLoads}u; j++) {
        let k = k0 + rightLine + j * ${rightLines}u;
        nextRight[j] = select(vec4f(), rightQuad(depthAt(min(k, end - 1u)), column), k < end);
      }
    }
    if (turn > 0u) {
      for (var d = 0u; d < ${tileDepth}u; d++) {
        ${rowsOfLeft.map((r) => `let a${r} = leftTile[d][id.y * ${rows / 4}u + ${r}u];`).join('\n        ')}
        ${range(quads)
          .map((q) => `let b${q} = rightTile[d][id.x + ${q * width}u];`)
          .join('\n        ')}
        ${cells.map(([r, q]) => `c${r}_${q} += a${Math.floor(r / 4)}.${components[r % 4]} * b${q};`).join('\n        ')}
      }
    }
    workgroupBarrier();
    if (turn < turns) {
      if (bringsLeft) {
        let turned = transpose(nextLeft);
        for (var d = 0u; d < 4u; d++) {
          leftTile[leftDepth + d][leftRow] = turned[d];
        }
      }
      for (var j = 0u; j < ${rightLoads}u; j++) {
        rightTile[rightLine + j * ${rightLines}u][rightQuadIndex] = nextRight[j];
      }
    }
    workgroupBarrier();
  }
  ${range(quads)
    .map(
      (q) => `{
    let quad = block.x * ${columnQuads}u + ${q * width}u + id.x;
    if (quad < p.quads) {
      ${range(rows)
        .map(
          (r) => `{
        let m = firstRow + id.y * ${rows}u + ${r}u;
        if (m < p.rows) {
          let value = ${epilogue ? `finish(c${r}_${q}, group * p.rows + m, quad)` : `c${r}_${q}`};
          result[(part * p.rows + m) * p.quads + quad] = V2(value);
        }
      }`,
        )
        .join('\n      ')}
    }
  }`,
    )
    .join('\n  ')}
}`;
}

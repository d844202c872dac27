import { GEOMETRY_FIELDS } from './operand.js';

/** What both structures of the product share: the uniforms, the left operand, the result and what is done to it at the end. */
export interface ProductVariant {
  /** Bias, residual and activation are compiled in (and each switched by `flags`). */
  readonly epilogue: boolean;
}

export const FLAG_BIAS = 1;
export const FLAG_RESIDUAL = 2;
export const FLAG_ACTIVATION = 4;

// C[m, n] = sum over k of A[m, k] B[k, n], for every group g, and for every part s of the range of k on its own.
// A: row g * rows + m, `leftStride` apart. C: row (s * groups + g) * rows + m, `quads` vec4f apart.
const PARAMETERS = `
struct Parameters {
  rows: u32, columns: u32, depth: u32, leftStride: u32,
  quads: u32, rowsPerBlock: u32, rowBlocks: u32, groups: u32,
  depthPerPart: u32, one: u32, rightGroup: u32, rightStride: u32,
  columnStride: u32, flags: u32, upper: f32,
  ${GEOMETRY_FIELDS}
}
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(2) var<storage, read_write> result: array<vec4f>;`;

export function declarations({ epilogue }: ProductVariant): string {
  if (!epilogue) return `${PARAMETERS}\n@group(0) @binding(3) var<uniform> p: Parameters;`;
  return `${PARAMETERS}
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read> residual: array<vec4f>;
@group(0) @binding(5) var<uniform> p: Parameters;
fn finish(sum: vec4f, row: u32, quad: u32) -> vec4f {
  var value = sum;
  if ((p.flags & ${FLAG_BIAS}u) != 0u) {
    value += bias[row];
  }
  if ((p.flags & ${FLAG_RESIDUAL}u) != 0u) {
    value += residual[row * p.quads + quad];
  }
  if ((p.flags & ${FLAG_ACTIVATION}u) != 0u) {
    value = clamp(value, vec4f(0.0), vec4f(p.upper));
  }
  return value;
}`;
}

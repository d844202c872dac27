import { GEOMETRY_FIELDS } from './operand.js';

/** What both structures of the product share: the uniforms, the left operand, the result and what is done to it at the end. */
export interface ProductFeatures {
  /** Bias, residual and activation are compiled in (and each switched by `flags`). */
  readonly epilogue: boolean;
  /**
   * Sums over a part of k wait in a float32 tensor of their own, shaped as the result: for results in float16, which could not
   * hold them.
   */
  readonly partials?: boolean;
  /** A is read as quads: its rows are whole ones. */
  readonly leftQuads?: boolean;
  /** WGSL of `activate`, which the epilogue calls. */
  readonly activation?: string;
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
  columnStride: u32, flags: u32, lower: f32, upper: f32,
  ${GEOMETRY_FIELDS}
}
@group(0) @binding(2) var<storage, read_write> result: array<V2>;`;

export function declarations(features: ProductFeatures): string {
  const { epilogue, partials = false, leftQuads = false, activation = '' } = features;
  const first = partials ? 4 : 3;
  const left = `@group(0) @binding(0) var<storage, read> left: array<${leftQuads ? 'V0' : 'T0'}>;`;
  const sums = partials ? '@group(0) @binding(3) var<storage, read_write> partials: array<vec4f>;' : '';
  const shared = `${PARAMETERS}\n${left}\n${sums}`;
  if (!epilogue) return `${shared}\n@group(0) @binding(${first}) var<uniform> p: Parameters;`;
  return `${shared}
@group(0) @binding(${first}) var<storage, read> bias: array<T${first}>;
@group(0) @binding(${first + 1}) var<storage, read> residual: array<V${first + 1}>;
@group(0) @binding(${first + 2}) var<uniform> p: Parameters;
${activation}
fn finish(sum: vec4f, row: u32, quad: u32) -> vec4f {
  var value = sum;
  if ((p.flags & ${FLAG_BIAS}u) != 0u) {
    value += f32(bias[row]);
  }
  if ((p.flags & ${FLAG_RESIDUAL}u) != 0u) {
    value += vec4f(residual[row * p.quads + quad]);
  }
  if ((p.flags & ${FLAG_ACTIVATION}u) != 0u) {
    value = activate(value);
  }
  return value;
}`;
}

import { type OperandKind, operandSource } from './operand.js';
import { declarations, type ProductVariant } from './parameters.js';

export interface TiledVariant extends ProductVariant {
  readonly operand: OperandKind;
  readonly divided: boolean;
}

/** Rows and columns of C that a workgroup computes. */
export const TILE = 64;
const TILE_DEPTH = 16;

/**
 * Product for GPUs: a workgroup of 16 x 16 computes a 64 x 64 tile of C, 4 x 4 each, from tiles of A and B in workgroup memory
 * (Volkov and Demmel 2008, "Benchmarking GPUs to tune dense linear algebra").
 */
export function tiledProductSource(variant: TiledVariant): string {
  const { operand, divided, epilogue } = variant;
  return `${declarations(variant)}
${operandSource(operand, divided)}
var<workgroup> leftTile: array<array<f32, ${TILE}>, ${TILE_DEPTH}>;
var<workgroup> rightTile: array<array<vec4f, ${TILE / 4}>, ${TILE_DEPTH}>;

@compute @workgroup_size(16, 16)
fn main(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_id) id: vec3u, @builtin(local_invocation_index) i: u32) {
  let part = block.y / p.rowBlocks;
  let firstRow = (block.y % p.rowBlocks) * ${TILE}u;
  let group = part % p.groups;
  let begin = (part / p.groups) * p.depthPerPart;
  let end = min(begin + p.depthPerPart, p.depth);
  let quad = block.x * ${TILE / 4}u + id.x;
  // This invocation brings in four values of one row of A and one quad of B.
  let leftRow = i / 4u;
  let leftDepth = (i % 4u) * 4u;
  let leftStart = (group * p.rows + min(firstRow + leftRow, p.rows - 1u)) * p.leftStride;
  let column = columnAt(min(quad, p.quads - 1u), group);
  var acc: array<vec4f, 4>;
  for (var k0 = begin; k0 < end; k0 += ${TILE_DEPTH}u) {
    for (var j = 0u; j < 4u; j++) {
      let k = k0 + leftDepth + j;
      leftTile[leftDepth + j][leftRow] = select(0.0, f32(left[leftStart + min(k, end - 1u)]), k < end);
    }
    let k = k0 + id.y;
    rightTile[id.y][id.x] = select(vec4f(), rightQuad(depthAt(min(k, end - 1u)), column), k < end);
    workgroupBarrier();
    for (var d = 0u; d < ${TILE_DEPTH}u; d++) {
      let b = rightTile[d][id.x];
      for (var r = 0u; r < 4u; r++) {
        acc[r] += leftTile[d][id.y * 4u + r] * b;
      }
    }
    workgroupBarrier();
  }
  if (quad >= p.quads) {
    return;
  }
  for (var r = 0u; r < 4u; r++) {
    let m = firstRow + id.y * 4u + r;
    if (m < p.rows) {
      let value = ${epilogue ? 'finish(acc[r], group * p.rows + m, quad)' : 'acc[r]'};
      result[(part * p.rows + m) * p.quads + quad] = V2(value);
    }
  }
}`;
}

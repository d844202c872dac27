import type { Pair } from '../window.js';

/**
 * Where the element B[k, n] of a product's right operand comes from.
 *
 * - `rows`: row k of a tensor whose rows are whole quads (`vec4f` loads).
 * - `strided`: any matrix in memory, element k * depthStride + n * columnStride.
 * - `patches`: the convolution's input, unrolled on the fly: k runs over (channel, tap), n over (picture, pixel).
 * - `patchColumns`: its transpose, for gradients of weights: k runs over (picture, pixel), n over (channel, tap).
 */
export type OperandKind = 'rows' | 'strided' | 'patches' | 'patchColumns';

/**
 * How a convolution's taps fall on the picture. Along each axis, pixel p and tap t meet the picture at
 * (p * step + t * tap + start) / divisor, if that is an integer within it: step = stride and tap = dilation for the forward pass;
 * step = 1, tap = -dilation and divisor = stride for the gradient of the input, which gathers what the forward pass scattered.
 */
export interface PatchGeometry {
  /** Height and width of the picture that is read. */
  readonly size: Pair;
  readonly kernel: Pair;
  /** Height and width of the map that pixels run over. */
  readonly pixels: Pair;
  readonly step: Pair;
  readonly tap: Pair;
  readonly start: Pair;
  readonly divisor: Pair;
}

/** The same convolution seen from the input's pixels: where each of them went. */
export function gradientGeometry(forward: PatchGeometry): PatchGeometry {
  return {
    size: forward.pixels,
    kernel: forward.kernel,
    pixels: forward.size,
    step: [1, 1],
    tap: [-forward.tap[0], -forward.tap[1]],
    start: [-forward.start[0], -forward.start[1]],
    divisor: forward.step,
  };
}

/** Fields of `Parameters` for the patch geometry, in the order of `geometryUniforms`. */
export const GEOMETRY_FIELDS = `height: i32, width: i32, kernelHeight: i32, kernelWidth: i32, pixelHeight: i32, pixelWidth: i32,
  stepY: i32, stepX: i32, tapY: i32, tapX: i32, startY: i32, startX: i32, divisorY: i32, divisorX: i32,`;

export const geometryUniforms = (geometry: PatchGeometry): number[] => [
  ...geometry.size,
  ...geometry.kernel,
  ...geometry.pixels,
  ...geometry.step,
  ...geometry.tap,
  ...geometry.start,
  ...geometry.divisor,
];

// A place is a sum of two parts, of the pixel and of the tap: offset of the plane and position in it. The same code serves
// both operands, columns being pixels in one and taps in the other. `next...` count up without the slow integer division.
const PLACES = `
struct Place { base: i32, y: i32, x: i32 }
struct Places { base: vec4i, y: vec4i, x: vec4i }
fn pixelAt(i: i32) -> Place {
  let row = i / p.pixelWidth;
  let image = row / p.pixelHeight;
  return Place(image * p.height * p.width, (row - image * p.pixelHeight) * p.stepY + p.startY,
    (i - row * p.pixelWidth) * p.stepX + p.startX);
}
fn nextPixel(place: Place) -> Place {
  var next = Place(place.base, place.y, place.x + p.stepX);
  if (next.x == p.pixelWidth * p.stepX + p.startX) {
    next.x = p.startX;
    next.y += p.stepY;
    if (next.y == p.pixelHeight * p.stepY + p.startY) {
      next.y = p.startY;
      next.base += p.height * p.width;
    }
  }
  return next;
}
fn tapAt(i: i32) -> Place {
  let row = i / p.kernelWidth;
  let channel = row / p.kernelHeight;
  return Place(channel * i32(p.rightStride), (row - channel * p.kernelHeight) * p.tapY, (i - row * p.kernelWidth) * p.tapX);
}
fn nextTap(place: Place) -> Place {
  var next = Place(place.base, place.y, place.x + p.tapX);
  if (next.x == p.kernelWidth * p.tapX) {
    next.x = 0;
    next.y += p.tapY;
    if (next.y == p.kernelHeight * p.tapY) {
      next.y = 0;
      next.base += i32(p.rightStride);
    }
  }
  return next;
}`;

function patches(depth: 'Tap' | 'Pixel', divided: boolean): string {
  const at = depth === 'Tap' ? 'pixelAt' : 'tapAt';
  const component = (c: string): string => {
    const position = divided
      ? `let y = y${c} / p.divisorY; let x = x${c} / p.divisorX;
    let on = y${c} >= 0 && x${c} >= 0 && y * p.divisorY == y${c} && x * p.divisorX == x${c} && y < p.height && x < p.width;`
      : `let y = y${c}; let x = x${c};
    let on = u32(y) < u32(p.height) && u32(x) < u32(p.width);`;
    return `{
    let y${c} = depth.y + column.y.${c}; let x${c} = depth.x + column.x.${c};
    ${position}
    quad.${c} = select(0.0, f32(right[select(0, depth.base + column.base.${c} + y * p.width + x, on)]), on);
  }`;
  };
  return `@group(0) @binding(1) var<storage, read> right: array<T1>;
${PLACES}
alias Depth = Place;
alias Column = Places;
fn depthAt(k: u32) -> Depth { return ${depth === 'Tap' ? 'tapAt' : 'pixelAt'}(i32(k)); }
fn nextDepth(depth: Depth) -> Depth { return next${depth}(depth); }
fn columnAt(quad: u32, group: u32) -> Column {
  var column: Column;
  for (var i = 0u; i < 4u; i++) {
    let place = ${at}(i32(min(quad * 4u + i, p.columns - 1u)));
    column.base[i] = place.base + i32(group * p.rightGroup);
    column.y[i] = place.y;
    column.x[i] = place.x;
  }
  return column;
}
fn rightQuad(depth: Depth, column: Column) -> vec4f {
  var quad: vec4f;
  ${['x', 'y', 'z', 'w'].map(component).join('\n  ')}
  return quad;
}`;
}

const ROWS = `@group(0) @binding(1) var<storage, read> right: array<V1>;
alias Depth = u32;
alias Column = u32;
fn depthAt(k: u32) -> Depth { return k * (p.rightStride / 4u); }
fn nextDepth(depth: Depth) -> Depth { return depth + p.rightStride / 4u; }
fn columnAt(quad: u32, group: u32) -> Column { return quad + group * (p.rightGroup / 4u); }
fn rightQuad(depth: Depth, column: Column) -> vec4f { return vec4f(right[depth + column]); }`;

const STRIDED = `@group(0) @binding(1) var<storage, read> right: array<T1>;
alias Depth = u32;
alias Column = vec4u;
fn depthAt(k: u32) -> Depth { return k * p.rightStride; }
fn nextDepth(depth: Depth) -> Depth { return depth + p.rightStride; }
fn columnAt(quad: u32, group: u32) -> Column {
  return min(quad * 4u + vec4u(0u, 1u, 2u, 3u), vec4u(p.columns - 1u)) * p.columnStride + group * p.rightGroup;
}
fn rightQuad(depth: Depth, column: Column) -> vec4f {
  let at = depth + column;
  return vec4f(f32(right[at.x]), f32(right[at.y]), f32(right[at.z]), f32(right[at.w]));
}`;

/**
 * WGSL of a right operand: `depthAt(k)` and `nextDepth` walk along k, `columnAt(quad, group)` fixes four columns, `rightQuad`
 * reads B[k, 4 quad .. 4 quad + 3]. Columns past the last give some value that is in the tensor; k must be in range.
 */
export function operandSource(kind: OperandKind, divided: boolean): string {
  switch (kind) {
    case 'rows':
      return ROWS;
    case 'strided':
      return STRIDED;
    case 'patches':
      return patches('Tap', divided);
    case 'patchColumns':
      return patches('Pixel', divided);
  }
}

import type { FusedActivation } from '../activation/fused.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from '../product/parameters.js';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);
const AXES = ['x', 'y', 'z', 'w'];

/** Workgroups run along four tiles at a time, channels in y; two divisions for a place, however many tiles follow. */
const PLACES = `
struct Place { image: i32, y: i32, x: i32 }
fn placeOf(tile: u32) -> Place {
  let line = tile / p.tileColumns;
  let image = line / p.tileRows;
  return Place(i32(image), 2 * i32(line - image * p.tileRows), 2 * i32(tile - line * p.tileColumns));
}
fn nextPlace(place: Place) -> Place {
  var next = Place(place.image, place.y, place.x + 2);
  if (next.x >= 2 * i32(p.tileColumns)) {
    next.x = 0;
    next.y += 2;
    if (next.y >= 2 * i32(p.tileRows)) {
      next.y = 0;
      next.image += 1;
    }
  }
  return next;
}`;

/**
 * V = B^T d B of every 4x4 patch d: v[plane][channel][tile], sixteen planes, tiles in quads (Lavin and Gray 2016, "Fast algorithms for
 * convolutional neural networks", section 4.1). Patches overlap by two pixels; outside of the picture is zero.
 */
export function inputTransformSource(lanes: number): string {
  const load = (r: number, c: number) => `d${r}${c}`;
  const patch = range(4).flatMap((r) => [
    `let y${r} = place.y + ${r} - p.top;
      let line${r} = plane + (place.image * p.height + clamp(y${r}, 0, p.height - 1)) * p.width;
      let onY${r} = u32(y${r}) < u32(p.height);`,
    ...range(4).map((c) => `let ${load(r, c)} = select(0.0, f32(x[line${r} + at${c}]), onY${r} && on${c});`),
  ]);
  // Along columns first: rows of B^T are (1 0 -1 0), (0 1 1 0), (0 -1 1 0), (0 1 0 -1).
  const along = (a: string, b: string, c: string, d: string) => [
    `${a} - ${c}`,
    `${b} + ${c}`,
    `${c} - ${b}`,
    `${b} - ${d}`,
  ];
  const columns = range(4).flatMap((c) =>
    along(load(0, c), load(1, c), load(2, c), load(3, c)).map((value, i) => `let t${i}${c} = ${value};`),
  );
  const rows = (axis: string) =>
    range(4).flatMap((i) =>
      along(`t${i}0`, `t${i}1`, `t${i}2`, `t${i}3`).map((value, j) => `v${4 * i + j}.${axis} = ${value};`),
    );
  return `struct Parameters {
  quads: u32, tiles: u32, tileRows: u32, tileColumns: u32, inputStride: u32, channels: u32,
  height: i32, width: i32, top: i32, left: i32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> v: array<vec4f>;
@group(0) @binding(2) var<uniform> p: Parameters;
${PLACES}
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let channel = id.y;
  if (quad >= p.quads) {
    return;
  }
  let plane = i32(channel * p.inputStride);
  // What lies behind the last tile repeats it: finite, and read by nobody in the end.
  var place = placeOf(min(quad * 4u, p.tiles - 1u));
  ${range(16)
    .map((k) => `var v${k}: vec4f;`)
    .join('\n  ')}
  ${AXES.map(
    (axis, e) => `{
      ${range(4)
        .map(
          (c) => `let x${c} = place.x + ${c} - p.left;
      let on${c} = u32(x${c}) < u32(p.width);
      let at${c} = clamp(x${c}, 0, p.width - 1);`,
        )
        .join('\n      ')}
      ${[...patch, ...columns, ...rows(axis)].join('\n      ')}
      ${e < 3 ? `if (quad * 4u + ${e + 1}u < p.tiles) { place = nextPlace(place); }` : ''}
    }`,
  ).join('\n  ')}
  let to = channel * p.quads + quad;
  let step = p.channels * p.quads;
  ${range(16)
    .map((k) => `v[${k}u * step + to] = v${k};`)
    .join('\n  ')}
}`;
}

/** Y = A^T M A of every tile, 2x2 pixels each, then bias, residual and activation; m[plane][channel][tile] as `inputTransformSource`. */
export function outputTransformSource(lanes: number, epilogue: boolean, activation: FusedActivation): string {
  // Rows of A^T are (1 1 1 0), (0 1 -1 -1).
  const columns = range(4).flatMap((c) => [
    `let s0${c} = m${c} + m${4 + c} + m${8 + c};`,
    `let s1${c} = m${4 + c} - m${8 + c} - m${12 + c};`,
  ]);
  const pixels = [0, 1].flatMap((r) => [
    `var y${r}0 = s${r}0 + s${r}1 + s${r}2;`,
    `var y${r}1 = s${r}1 - s${r}2 - s${r}3;`,
  ]);
  const each = (make: (r: number, c: number) => string) =>
    [0, 1].flatMap((r) => [0, 1].map((c) => make(r, c))).join('\n    ');
  const finish = `
  if ((p.flags & ${FLAG_BIAS}u) != 0u) {
    let offset = f32(bias[channel]);
    ${each((r, c) => `y${r}${c} += offset;`)}
  }
  if ((p.flags & ${FLAG_RESIDUAL}u) != 0u) {
    var source_ = first;
    ${AXES.map(
      (axis, e) => `{
      let at = row + (source_.image * p.height + source_.y) * p.width + source_.x;
      ${each((r, c) => `y${r}${c}.${axis} += f32(residual[min(at + ${r} * p.width + ${c}, last)]);`)}
      ${e < 3 ? `if (quad * 4u + ${e + 1}u < p.tiles) { source_ = nextPlace(source_); }` : ''}
    }`,
    ).join('\n    ')}
  }
  if ((p.flags & ${FLAG_ACTIVATION}u) != 0u) {
    ${each((r, c) => `y${r}${c} = activate(y${r}${c});`)}
  }`;
  return `struct Parameters {
  quads: u32, tiles: u32, tileRows: u32, tileColumns: u32, outputStride: u32, channels: u32,
  height: i32, width: i32, flags: u32, lower: f32, upper: f32,
}
@group(0) @binding(0) var<storage, read> m: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
${
  epilogue
    ? `@group(0) @binding(2) var<storage, read> bias: array<T2>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<uniform> p: Parameters;
${activation.source}`
    : '@group(0) @binding(2) var<uniform> p: Parameters;'
}
${PLACES}
@compute @workgroup_size(${lanes})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let quad = id.x;
  let channel = id.y;
  if (quad >= p.quads) {
    return;
  }
  let row = i32(channel * p.outputStride);
  let source = channel * p.quads + quad;
  let step = p.channels * p.quads;
  ${range(16)
    .map((k) => `let m${k} = m[${k}u * step + source];`)
    .join('\n  ')}
  ${[...columns, ...pixels].join('\n  ')}
  let first = placeOf(min(quad * 4u, p.tiles - 1u));
  ${epilogue ? `let last = row + i32(p.outputStride) - 1;${finish}` : ''}
  var place = first;
  ${AXES.map(
    (axis, e) => `if (quad * 4u + ${e}u < p.tiles) {
    let at = row + (place.image * p.height + place.y) * p.width + place.x;
    let isWide = place.x + 1 < p.width;
    let isHigh = place.y + 1 < p.height;
    y[at] = T1(y00.${axis});
    if (isWide) { y[at + 1] = T1(y01.${axis}); }
    if (isHigh) { y[at + p.width] = T1(y10.${axis}); }
    if (isWide && isHigh) { y[at + p.width + 1] = T1(y11.${axis}); }
    place = nextPlace(place);
  }`,
  ).join('\n  ')}
}`;
}

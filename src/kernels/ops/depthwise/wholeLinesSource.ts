import type { Pair } from '../window.js';
import type { PatchGeometry } from '../product/operand.js';
import { AXES } from './columnLoads.js';

/**
 * How a small map is walked in whole lines: as few lines at a time as are whole quads, of which the next ones are loaded while those
 * before are computed.
 */
export interface LineGroups {
  readonly width: number;
  /** Lines of a group. */
  readonly lines: number;
  /** Groups are whole quads; else single lines, element by element. */
  readonly quads: boolean;
}

/** Most elements of a group: each of them is a variable of the program, and so are those of its neighbours. */
const MOST_ELEMENTS = 28;
const LARGEST_KERNEL = 5;

/** Groups for a depthwise convolution whose result is as large as its input; null where it does not fit such a walk. */
export function lineGroups({ size, pixels, kernel, step, start }: PatchGeometry): LineGroups | null {
  const [height, width] = size;
  const isSame = height === pixels[0] && width === pixels[1] && step[0] === 1 && step[1] === 1;
  if (!isSame || kernel.some((side) => side > LARGEST_KERNEL)) return null;
  const together = [1, 2, 4].find((count) => (count * width) % 4 === 0) as number;
  const quads = height % together === 0;
  const lines = quads ? together : 1;
  // A group sees the one before it and the one behind it.
  const [above, below] = [-start[0], kernel[0] - 1 + start[0]];
  const reaches = above >= 0 && above <= lines && below >= 0 && below <= lines;
  return reaches && lines * width <= MOST_ELEMENTS ? { width, lines, quads } : null;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/** A pixel of the window: line 0 is `above` lines over the group's first one. */
const pixel = (line: number, column: number) => `l${line}_${column}`;

/**
 * WGSL of the window of lines that a group's taps reach, and of the groups behind it that are loaded already: `declare` it, put the
 * next group behind it (`load`), move it down by a group (`shift`), and read tap (ky, kx) at an element of the group.
 */
function lineWindow({ width, lines, quads }: LineGroups, above: number, left: number) {
  const count = above + 2 * lines;
  const size = lines * width;
  const keep = (i: number, value: string) => `${pixel(count - lines + Math.floor(i / width), i % width)} = ${value};`;
  const loadElements = (group: string) =>
    range(size).map((i) => keep(i, `f32(x[xPlane + ${group} * ${size}u + ${i}u])`));
  const loadQuads = (group: string) =>
    range(size / 4).flatMap((q) => [
      `let quad${q} = vec4f(x[xPlane + ${group} * ${size / 4}u + ${q}u]);`,
      ...AXES.map((axis, e) => keep(4 * q + e, `quad${q}.${axis}`)),
    ]);
  const each = (make: (line: number, column: number) => string, first = 0, last = count) =>
    range(last - first).flatMap((i) => range(width).map((column) => make(first + i, column)));
  return {
    declare: each((line, column) => `var ${pixel(line, column)} = 0.0;`),
    shift: each((line, column) => `${pixel(line, column)} = ${pixel(line + lines, column)};`, 0, count - lines),
    end: each((line, column) => `${pixel(line, column)} = 0.0;`, count - lines),
    load: (group: string) => (quads ? loadQuads(group) : loadElements(group)),
    /** Null: it lies beside the picture. */
    tap: (line: number, column: number, ky: number, kx: number): string | null => {
      const x = column + kx - left;
      return x >= 0 && x < width ? pixel(line + ky, x) : null;
    },
  };
}

export interface WholeLinesVariant extends LineGroups {
  readonly kernel: Pair;
  /** Lines and columns of zeros in front of the picture. */
  readonly above: number;
  readonly left: number;
  /** Taps in reverse order: the gradient of the input. */
  readonly flipped: boolean;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  /** WGSL with `activate`; null: there is none. */
  readonly activation: string | null;
}

/**
 * Depthwise convolution of small maps for software adapters: an invocation takes a whole map, so that each of its pixels is loaded
 * once, and neither the lines nor the columns around the picture cost anything. The width and the kernel are compiled in.
 */
export function wholeLinesSource(variant: WholeLinesVariant): string {
  const { width, lines, quads, kernel, above, left, flipped, hasBias, hasResidual, activation } = variant;
  const [kernelHeight, kernelWidth] = kernel;
  const taps = kernelHeight * kernelWidth;
  const size = lines * width;
  const window = lineWindow(variant, above, left);
  const sum = (i: number): string => {
    if (i >= size) return '0.0';
    const terms = range(taps).flatMap((t) => {
      const value = window.tap(Math.floor(i / width), i % width, Math.floor(t / kernelWidth), t % kernelWidth);
      return value === null ? [] : [`w${t} * ${value}`];
    });
    return terms.join(' + ') || '0.0';
  };
  /** The binding behind that of the bias, if there is one. */
  const after = hasBias ? 4 : 3;
  const elements = (q: number) => AXES.map((axis, e) => ({ axis, i: 4 * q + e })).filter(({ i }) => i < size);
  const add = (q: number) =>
    quads
      ? `value += vec4f(residual[to + ${q}u]);`
      : elements(q)
          .map(({ axis, i }) => `value.${axis} += f32(residual[to + ${i}u]);`)
          .join(' ');
  const stores = (q: number) =>
    quads
      ? `y[to + ${q}u] = V2(value);`
      : elements(q)
          .map(({ axis, i }) => `y[to + ${i}u] = T2(value.${axis});`)
          .join(' ');
  const compute = (group: string) => `{
    let to = yPlane + ${group} * ${quads ? size / 4 : size}u;
    ${range(Math.ceil(size / 4))
      .map(
        (q) => `{
      var value = vec4f(${AXES.map((_, e) => sum(4 * q + e)).join(',\n        ')})${hasBias ? ' + offset' : ''};
      ${hasResidual ? add(q) : ''}
      ${activation ? 'value = activate(value);' : ''}
      if (inside) { ${stores(q)} }
    }`,
      )
      .join('\n    ')}
  }`;
  const unit = quads ? ' / 4u' : '';
  return `struct Parameters {
  maps: u32, images: u32, groups: u32, mapSize: u32, resultStride: u32, inputStride: u32, lower: f32, upper: f32,
}
@group(0) @binding(0) var<storage, read> x: array<${quads ? 'V0' : 'T0'}>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read_write> y: array<${quads ? 'V2' : 'T2'}>;
${hasBias ? '@group(0) @binding(3) var<storage, read> bias: array<T3>;' : ''}
${hasResidual ? `@group(0) @binding(${after}) var<storage, read> residual: array<${quads ? 'V' : 'T'}${after}>;` : ''}
@group(0) @binding(${after + (hasResidual ? 1 : 0)}) var<uniform> p: Parameters;
${activation ?? ''}

@compute @workgroup_size(8)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) workgroups: vec3u) {
  let own = id.y * workgroups.x * 8u + id.x;
  // Lanes past the last map compute along and store nothing: cheaper than a mask over everything.
  let inside = own < p.maps;
  let index = min(own, p.maps - 1u);
  let channel = index / p.images;
  let image = index - channel * p.images;
  let xPlane = (channel * p.inputStride + image * p.mapSize)${unit};
  let yPlane = (channel * p.resultStride + image * p.mapSize)${unit};
  ${range(taps)
    .map((t) => `let w${t} = f32(weight[channel * ${taps}u + ${flipped ? taps - 1 - t : t}u]);`)
    .join('\n  ')}
  ${hasBias ? 'let offset = f32(bias[channel]);' : ''}
  ${window.declare.join('\n  ')}
  ${scoped(window.load('0u'))}
  for (var t = 1u; t < p.groups; t++) {
    ${window.shift.join('\n    ')}
    ${scoped(window.load('t'))}
    ${compute('(t - 1u)')}
  }
  ${window.shift.join('\n  ')}
  ${window.end.join('\n  ')}
  ${compute('(p.groups - 1u)')}
}`;
}

const scoped = (statements: readonly string[]): string => `{\n    ${statements.join('\n    ')}\n    }`;

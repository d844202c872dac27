import type { Pair } from '../window.js';
import { AXES, columnLoads } from './columnLoads.js';

/** Pixels of a line that one invocation computes. */
export const STRIP = 4;
export const STRIP_LANES = 8;

export interface StripVariant {
  readonly kernel: Pair;
  /** At most the kernel. */
  readonly stride: Pair;
  /** Columns of zeros in front of the picture. */
  readonly left: number;
  /** Lines of the input begin at a quad and are whole quads, so that quads are loaded as such. */
  readonly quadsIn: boolean;
  /** The same of the output: a strip is stored at once. */
  readonly quadsOut: boolean;
  readonly hasBias: boolean;
  readonly hasResidual: boolean;
  /** WGSL with `activate`; null: there is none. */
  readonly activation: string | null;
}

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Depthwise convolution for software adapters: an invocation takes a strip of four columns and walks down the lines, so that
 * each input pixel is loaded once per strip. Line by line of the input it adds to the sums of all outputs that the line reaches.
 */
export function stripSource(variant: StripVariant): string {
  const { kernel, stride, left, quadsIn, quadsOut, hasBias, hasResidual, activation } = variant;
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const loaded = (STRIP - 1) * strideX + kernelWidth;
  /** Outputs below each other that one input line reaches. */
  const open = Math.ceil(kernelHeight / strideY);
  const taps = kernelHeight * kernelWidth;
  const { places, loads } = columnLoads({
    count: loaded,
    begin: `first * ${strideX}`,
    offset: -left,
    quads: quadsIn,
    width: 'p.width',
    tensor: 'x',
    keep: (e, value) => `let v${e} = ${value};`,
  });
  /** The binding behind that of the bias, if there is one. */
  const after = hasBias ? 4 : 3;
  const line = (i: number): string => {
    const ky = kernelHeight - strideY + i;
    const sums = range(open)
      .filter((j) => ky - j * strideY >= 0)
      .flatMap((j) =>
        range(kernelWidth).map((kx) => {
          const values = range(STRIP).map((pixel) => `v${pixel * strideX + kx}`);
          return `sum${j} += w${(ky - j * strideY) * kernelWidth + kx} * vec4f(${values.join(', ')});`;
        }),
      );
    return `{
      let inY = i32(lineOut) * ${strideY} + ${ky} + p.startY;
      let onY = inY >= 0 && inY < p.height;
      let base = plane + clamp(inY, 0, p.height - 1) * p.width;
      ${loads.join('\n      ')}
      ${sums.join('\n      ')}
    }`;
  };
  const eachPixel = (make: (axis: string, e: number) => string) =>
    AXES.map((axis, e) => `if (first + ${e} < p.pixelWidth) { ${make(axis, e)} }`).join('\n      ');
  const residual = quadsOut
    ? 'value += vec4f(residual[to / 4u]);'
    : eachPixel((axis, e) => `value.${axis} += f32(residual[to + ${e}u]);`);
  return `struct Parameters {
  strips: u32, channels: u32, stripsPerLine: u32, resultStride: u32, inputStride: u32, lower: f32, upper: f32,
  height: i32, width: i32, pixelHeight: i32, pixelWidth: i32, startY: i32,
}
@group(0) @binding(0) var<storage, read> x: array<${quadsIn ? 'V0' : 'T0'}>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read_write> y: array<${quadsOut ? 'V2' : 'T2'}>;
${hasBias ? '@group(0) @binding(3) var<storage, read> bias: array<T3>;' : ''}
${hasResidual ? `@group(0) @binding(${after}) var<storage, read> residual: array<${quadsOut ? 'V' : 'T'}${after}>;` : ''}
@group(0) @binding(${after + (hasResidual ? 1 : 0)}) var<uniform> p: Parameters;
${activation ?? ''}

@compute @workgroup_size(${STRIP_LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // Strips of all channels in one row of lanes: small maps have fewer strips than there are lanes.
  let index = id.y * groups.x * ${STRIP_LANES}u + id.x;
  let inside = index < p.strips * p.channels;
  let channel = min(index / p.strips, p.channels - 1u);
  let strip = index - channel * p.strips;
  let image = i32(strip / p.stripsPerLine);
  let first = i32(strip % p.stripsPerLine) * ${STRIP};
  // Lanes past the last strip compute along, within the tensor, and store nothing.
  let plane = i32(channel * p.inputStride) + select(0, image * p.height * p.width, inside);
  ${places.join('\n  ')}
  ${range(taps)
    .map((tap) => `let w${tap} = f32(weight[channel * ${taps}u + ${tap}u]);`)
    .join('\n  ')}
  ${hasBias ? 'let offset = f32(bias[channel]);' : ''}
  ${range(open)
    .map((j) => `var sum${j} = vec4f();`)
    .join('\n  ')}
  for (var lineOut = -${open - 1}; lineOut < p.pixelHeight; lineOut++) {
    ${range(strideY).map(line).join('\n    ')}
    if (lineOut >= 0 && inside) {
      let to = channel * p.resultStride + u32((image * p.pixelHeight + lineOut) * p.pixelWidth + first);
      var value = sum0${hasBias ? ' + offset' : ''};
      ${hasResidual ? residual : ''}
      ${activation ? 'value = activate(value);' : ''}
      ${quadsOut ? 'y[to / 4u] = V2(value);' : eachPixel((axis, e) => `y[to + ${e}u] = T2(value.${axis});`)}
    }
    ${range(open)
      .map((j) => `sum${j} = ${j + 1 < open ? `sum${j + 1}` : 'vec4f()'};`)
      .join('\n    ')}
  }
}`;
}

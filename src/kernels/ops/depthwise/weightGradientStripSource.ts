import { columnLoads } from './columnLoads.js';
import { STRIP, STRIP_LANES, type StripVariant } from './stripSource.js';

/**
 * Gradient of a depthwise convolution's weights, for software adapters: one workgroup per channel, each of its invocations
 * takes every eighth strip of four columns and walks down the lines with the last lines of the input at hand, adding up all taps
 * at once; then the invocations' sums are added in order.
 */
export function weightGradientStripSource({
  kernel,
  stride,
  left,
  quadsIn,
  quadsOut,
}: Pick<StripVariant, 'kernel' | 'stride' | 'left' | 'quadsIn' | 'quadsOut'>): string {
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  const loaded = (STRIP - 1) * strideX + kernelWidth;
  const taps = kernelHeight * kernelWidth;
  const columns = (keep: (e: number, value: string) => string) =>
    columnLoads({
      count: loaded,
      begin: `first * ${strideX}`,
      offset: -left,
      quads: quadsIn,
      width: 'p.width',
      tensor: 'x',
      keep,
    });
  const load = (line: number): string => `{
        let inY = lineOut * ${strideY} + ${line} + p.startY;
        let onY = inY >= 0 && inY < p.height;
        let base = plane + clamp(inY, 0, p.height - 1) * p.width;
        ${columns((e, value) => `l${line}_${e} = ${value};`).loads.join('\n        ')}
      }`;
  const gradient = quadsOut
    ? 'select(vec4f(), vec4f(dy[(lines + first) / 4]), lineOut >= 0)'
    : `vec4f(${range(STRIP)
        .map((e) => `select(0.0, f32(dy[lines + column${e}]), inside${e} && lineOut >= 0)`)
        .join(', ')})`;
  const values = (line: number, kx: number): string =>
    `vec4f(${range(STRIP)
      .map((pixel) => `l${line}_${pixel * strideX + kx}`)
      .join(', ')})`;
  return `struct Parameters {
  strips: u32, stripsPerLine: u32, outputStride: u32, inputStride: u32,
  height: i32, width: i32, pixelHeight: i32, pixelWidth: i32, startY: i32,
}
@group(0) @binding(0) var<storage, read> x: array<${quadsIn ? 'V0' : 'T0'}>;
@group(0) @binding(1) var<storage, read> dy: array<${quadsOut ? 'V1' : 'T1'}>;
@group(0) @binding(2) var<storage, read_write> dWeight: array<T2>;
@group(0) @binding(3) var<uniform> p: Parameters;
var<workgroup> sums: array<array<f32, ${taps}>, ${STRIP_LANES}>;

@compute @workgroup_size(${STRIP_LANES})
fn main(@builtin(workgroup_id) block: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = block.x;
  ${range(taps)
    .map((tap) => `var sum${tap} = vec4f();`)
    .join('\n  ')}
  for (var strip = lane; strip < p.strips; strip += ${STRIP_LANES}u) {
    let image = i32(strip / p.stripsPerLine);
    let first = i32(strip % p.stripsPerLine) * ${STRIP};
    let plane = i32(channel * p.inputStride) + image * p.height * p.width;
    ${columns(() => '').places.join('\n    ')}
    ${
      quadsOut
        ? ''
        : range(STRIP)
            .map(
              (e) =>
                `let inside${e} = first + ${e} < p.pixelWidth; let column${e} = min(first + ${e}, p.pixelWidth - 1);`,
            )
            .join('\n    ')
    }
    ${range(kernelHeight)
      .flatMap((line) => range(loaded).map((e) => `var l${line}_${e} = 0.0;`))
      .join('\n    ')}
    // The lines that the first output shares with the one above it come in at line -1 and lower, where dy counts as 0.
    for (var lineOut = -${Math.ceil(kernelHeight / strideY) - 1}; lineOut < p.pixelHeight; lineOut++) {
      ${range(kernelHeight - strideY)
        .flatMap((line) => range(loaded).map((e) => `l${line}_${e} = l${line + strideY}_${e};`))
        .join('\n      ')}
      ${range(strideY)
        .map((i) => load(kernelHeight - strideY + i))
        .join('\n      ')}
      let lines = i32(channel * p.outputStride) + (image * p.pixelHeight + max(lineOut, 0)) * p.pixelWidth;
      let gradient = ${gradient};
      ${range(taps)
        .map((tap) => `sum${tap} += gradient * ${values(Math.floor(tap / kernelWidth), tap % kernelWidth)};`)
        .join('\n      ')}
    }
  }
  ${range(taps)
    .map((tap) => `sums[lane][${tap}] = sum${tap}.x + sum${tap}.y + sum${tap}.z + sum${tap}.w;`)
    .join('\n  ')}
  workgroupBarrier();
  for (var tap = lane; tap < ${taps}u; tap += ${STRIP_LANES}u) {
    var sum = 0.0;
    for (var other = 0u; other < ${STRIP_LANES}u; other++) {
      sum += sums[other][tap];
    }
    dWeight[channel * ${taps}u + tap] = T2(sum);
  }
}`;
}

import { AXES, columnLoads } from '../depthwise/columnLoads.js';
import { STRIP, STRIP_LANES, type StripVariant } from '../depthwise/stripSource.js';

/** The lowest finite float32: less than any pixel. */
const LOWEST = -3.4028234663852886e38;
const range = (count: number) => Array.from({ length: count }, (_, i) => i);

/**
 * Max pooling for software adapters: an invocation takes a strip of four columns of the result and walks down the lines. The
 * largest of each window's columns is found once for each line; lines that windows share are kept. The stride is at most the window.
 */
export function maxPoolStripSource(
  variant: Pick<StripVariant, 'kernel' | 'stride' | 'left' | 'quadsIn' | 'quadsOut'>,
): string {
  const { kernel, stride, left, quadsIn, quadsOut } = variant;
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const { places, loads } = columnLoads({
    count: (STRIP - 1) * strideX + kernelWidth,
    begin: `first * ${strideX}`,
    offset: -left,
    quads: quadsIn,
    width: 'p.width',
    tensor: 'x',
    outside: LOWEST,
    keep: (e, value) => `let v${e} = ${value};`,
  });
  const largest = (values: readonly string[]) => values.reduce((sum, value) => `max(${sum}, ${value})`);
  const line = (index: number): string => `{
      let inY = lineOut * ${strideY} + ${index} + p.startY;
      let onY = inY >= 0 && inY < p.height;
      let base = plane + clamp(inY, 0, p.height - 1) * p.width;
      ${loads.join('\n      ')}
      r${index} = vec4f(${range(STRIP)
        .map((pixel) => largest(range(kernelWidth).map((kx) => `v${pixel * strideX + kx}`)))
        .join(', ')});
    }`;
  const store = quadsOut
    ? 'y[to / 4u] = V1(value);'
    : AXES.map((axis, e) => `if (first + ${e} < p.pixelWidth) { y[to + ${e}u] = T1(value.${axis}); }`).join('\n      ');
  return `struct Parameters {
  strips: u32, channels: u32, stripsPerLine: u32, resultStride: u32, inputStride: u32,
  height: i32, width: i32, pixelHeight: i32, pixelWidth: i32, startY: i32,
}
@group(0) @binding(0) var<storage, read> x: array<${quadsIn ? 'V0' : 'T0'}>;
@group(0) @binding(1) var<storage, read_write> y: array<${quadsOut ? 'V1' : 'T1'}>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(${STRIP_LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * ${STRIP_LANES}u + id.x;
  let inside = index < p.strips * p.channels;
  let channel = min(index / p.strips, p.channels - 1u);
  let strip = index - channel * p.strips;
  let image = i32(strip / p.stripsPerLine);
  let first = i32(strip % p.stripsPerLine) * ${STRIP};
  // Lanes past the last strip compute along, within the tensor, and store nothing.
  let plane = i32(channel * p.inputStride) + select(0, image * p.height * p.width, inside);
  ${places.join('\n  ')}
  ${range(kernelHeight)
    .map((index) => `var r${index} = vec4f(f32(${LOWEST}));`)
    .join('\n  ')}
  // Lines that the first window shares with one above it come in at line -1 and lower.
  for (var lineOut = -${Math.ceil(kernelHeight / strideY) - 1}; lineOut < p.pixelHeight; lineOut++) {
    ${range(kernelHeight - strideY)
      .map((index) => `r${index} = r${index + strideY};`)
      .join('\n    ')}
    ${range(strideY)
      .map((i) => line(kernelHeight - strideY + i))
      .join('\n    ')}
    if (lineOut >= 0 && inside) {
      let to = channel * p.resultStride + u32((image * p.pixelHeight + lineOut) * p.pixelWidth + first);
      let value = ${largest(range(kernelHeight).map((index) => `r${index}`))};
      ${store}
    }
  }
}`;
}

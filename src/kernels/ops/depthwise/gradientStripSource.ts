import type { Pair } from '../window.js';
import { AXES, columnLoads } from './columnLoads.js';
import { STRIP, STRIP_LANES } from './stripSource.js';

/** Strips begin where a stride does, so a strip has whole strides. */
export const stridesFitStrips = (stride: Pair): boolean => STRIP % stride[1] === 0;

export interface GradientStripVariant {
  readonly kernel: Pair;
  readonly stride: Pair;
  /** Columns of zeros in front of the picture. */
  readonly left: number;
  /** Lines of both maps are whole quads and the stride is 1: quads are loaded and stored as such. */
  readonly quads: boolean;
}

/**
 * Gradient of a depthwise convolution's input, for software adapters. Input pixel p and tap k meet output q where
 * p + padding = q stride + k; so with p + padding = stride Q + r, the taps are r, r + stride, ... and the outputs Q, Q - 1, ...
 * An invocation takes a strip of four columns of dx, begun at r = 0, and walks down the lines of dy, each loaded once; a line Q
 * and those above it give `stride` lines of dx. Kernel, stride and the padding's remainder are compiled in.
 */
export function gradientStripSource({ kernel, stride, left, quads }: GradientStripVariant): string {
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  const linesBack = Math.ceil(kernelHeight / strideY);
  const columnsBack = Math.ceil(kernelWidth / strideX);
  /** Outputs of a line that a strip meets: from Q - columnsBack + 1 on. */
  const loaded = columnsBack - 1 + STRIP / strideX;
  const taps = kernelHeight * kernelWidth;
  // With stride 1 a strip begins at its own first column, elsewhere where the stride does.
  const { places, loads } = columnLoads({
    count: loaded,
    begin: quads ? 'first' : 'firstStride',
    offset: (quads ? left : 0) - columnsBack + 1,
    quads,
    width: 'p.width',
    tensor: 'dy',
    keep: (e, value) => `l0_${e} = ${value};`,
  });
  const store = quads
    ? 'dx[to / 4] = V2(value);'
    : AXES.map(
        (axis, e) => `if (first + ${e} >= 0 && first + ${e} < p.pixelWidth) { dx[to + ${e}] = T2(value.${axis}); }`,
      ).join('\n          ');
  /** dx of phase `r` at column `e` of the strip: taps (r + stride i, r' + stride j) times dy of line i back, column j back. */
  const pixel = (r: number, e: number): string => {
    const terms = range(linesBack).flatMap((i) =>
      range(columnsBack).flatMap((j) => {
        const ky = r + strideY * i;
        const kx = (e % strideX) + strideX * j;
        if (ky >= kernelHeight || kx >= kernelWidth) return [];
        return [`w${ky * kernelWidth + kx} * l${i}_${columnsBack - 1 + Math.floor(e / strideX) - j}`];
      }),
    );
    return terms.join(' + ') || '0.0';
  };
  return `struct Parameters {
  strips: u32, channels: u32, stripsPerLine: u32, resultStride: u32, inputStride: u32,
  height: i32, width: i32, pixelHeight: i32, pixelWidth: i32, top: i32, left: i32,
}
@group(0) @binding(0) var<storage, read> dy: array<${quads ? 'V0' : 'T0'}>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read_write> dx: array<${quads ? 'V2' : 'T2'}>;
@group(0) @binding(3) var<uniform> p: Parameters;

@compute @workgroup_size(${STRIP_LANES})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  // Strips of all channels in one row of lanes: small maps have fewer strips than there are lanes.
  let index = id.y * groups.x * ${STRIP_LANES}u + id.x;
  let inside = index < p.strips * p.channels;
  let channel = min(index / p.strips, p.channels - 1u);
  let strip = index - channel * p.strips;
  let image = i32(strip / p.stripsPerLine);
  // Lanes past the last strip compute along, within the tensor, and store nothing.
  let firstStride = i32(strip % p.stripsPerLine) * ${STRIP / strideX} + p.left / ${strideX};
  let first = firstStride * ${strideX} - p.left;
  let plane = i32(channel * p.inputStride) + select(0, image * p.height * p.width, inside);
  ${places.join('\n  ')}
  ${range(taps)
    .map((tap) => `let w${tap} = f32(weight[channel * ${taps}u + ${tap}u]);`)
    .join('\n  ')}
  ${range(linesBack)
    .flatMap((i) => range(loaded).map((e) => `var l${i}_${e} = 0.0;`))
    .join('\n  ')}
  let firstLine = p.top / ${strideY};
  let lastLine = (p.pixelHeight - 1 + p.top) / ${strideY};
  for (var line = firstLine - ${linesBack - 1}; line <= lastLine; line++) {
    let onY = line >= 0 && line < p.height;
    let base = plane + clamp(line, 0, p.height - 1) * p.width;
    ${loads.join('\n    ')}
    if (line >= firstLine && inside) {
      ${range(strideY)
        .map(
          (r) => `{
        let y = line * ${strideY} + ${r} - p.top;
        if (y >= 0 && y < p.pixelHeight) {
          let value = vec4f(${range(STRIP)
            .map((e) => pixel(r, e))
            .join(', ')});
          let to = i32(channel * p.resultStride) + (image * p.pixelHeight + y) * p.pixelWidth + first;
          ${store}
        }
      }`,
        )
        .join('\n      ')}
    }
    ${range(linesBack - 1)
      .map((i) => linesBack - 1 - i)
      .flatMap((i) => range(loaded).map((e) => `l${i}_${e} = l${i - 1}_${e};`))
      .join('\n    ')}
  }
}`;
}

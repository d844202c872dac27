import type { Pair } from '../window.js';

/** Pixels of a line that one invocation computes. */
export const STRIP = 4;
export const STRIP_LANES = 8;

/**
 * Depthwise convolution for software adapters: an invocation takes a strip of four columns and walks down the lines, so that
 * each input pixel is loaded once per strip. Line by line of the input it adds to the sums of all outputs that the line reaches.
 * Kernel and stride are compiled in (stride at most the kernel), and WGSL with `activate`.
 */
export function stripSource(kernel: Pair, stride: Pair, activation: string): string {
  const [kernelHeight, kernelWidth] = kernel;
  const [strideY, strideX] = stride;
  const loaded = (STRIP - 1) * strideX + kernelWidth;
  /** Outputs below each other that one input line reaches. */
  const open = Math.ceil(kernelHeight / strideY);
  const range = (count: number) => Array.from({ length: count }, (_, i) => i);
  const taps = kernelHeight * kernelWidth;
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
      ${range(loaded)
        .map((e) => `let v${e} = select(0.0, f32(x[base + at${e}]), onY && on${e});`)
        .join('\n      ')}
      ${sums.join('\n      ')}
    }`;
  };
  return `struct Parameters {
  strips: u32, channels: u32, stripsPerLine: u32, resultStride: u32, inputStride: u32, flags: u32, lower: f32, upper: f32,
  height: i32, width: i32, pixelHeight: i32, pixelWidth: i32, startY: i32, startX: i32,
}
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read> weight: array<T1>;
@group(0) @binding(2) var<storage, read> bias: array<T2>;
@group(0) @binding(3) var<storage, read> residual: array<T3>;
@group(0) @binding(4) var<storage, read_write> y: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;
${activation}

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
  ${range(loaded)
    .map(
      (e) => `let x${e} = first * ${strideX} + ${e} + p.startX;
  let on${e} = x${e} >= 0 && x${e} < p.width;
  let at${e} = clamp(x${e}, 0, p.width - 1);`,
    )
    .join('\n  ')}
  ${range(taps)
    .map((tap) => `let w${tap} = f32(weight[channel * ${taps}u + ${tap}u]);`)
    .join('\n  ')}
  var offset = 0.0;
  if ((p.flags & 1u) != 0u) {
    offset = f32(bias[channel]);
  }
  ${range(open)
    .map((j) => `var sum${j} = vec4f();`)
    .join('\n  ')}
  for (var lineOut = -${open - 1}; lineOut < p.pixelHeight; lineOut++) {
    ${range(strideY).map(line).join('\n    ')}
    if (lineOut >= 0 && inside) {
      let to = channel * p.resultStride + u32((image * p.pixelHeight + lineOut) * p.pixelWidth + first);
      var value = sum0 + offset;
      for (var e = 0; e < ${STRIP}; e++) {
        if (first + e < p.pixelWidth) {
          var pixel = value[e];
          if ((p.flags & 2u) != 0u) {
            pixel += f32(residual[to + u32(e)]);
          }
          if ((p.flags & 4u) != 0u) {
            pixel = activate(vec4f(pixel)).x;
          }
          y[to + u32(e)] = T4(pixel);
        }
      }
    }
    ${range(open)
      .map((j) => `sum${j} = ${j + 1 < open ? `sum${j + 1}` : 'vec4f()'};`)
      .join('\n    ')}
  }
}`;
}

import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { randomValues } from '../random.js';
import { convolutionSizes, referenceElement } from '../reference/convolution.js';
import { sample } from '../reference/samples.js';
import type { ConvolutionPass, ConvolutionSpec } from '../specs.js';
import type { Workload } from '../workload.js';
import { preparePlan } from './plans.js';

const PASSES: readonly ConvolutionPass[] = ['forward', 'input-gradient', 'weight-gradient'];

/** The two tensors that a pass reads, by name: x, w (the weight) or dy (the gradient of the output). */
export function convolutionOperands(spec: ConvolutionSpec, name: string, seed: number): Record<string, Float32Array> {
  const sizes = convolutionSizes(spec);
  const operands = { forward: ['x', 'w'], 'input-gradient': ['w', 'dy'], 'weight-gradient': ['x', 'dy'] } as const;
  return Object.fromEntries(
    operands[spec.pass].map((operand) => [operand, randomValues(sizes[operand], seed, `${name} ${operand}`)]),
  );
}

function convolutionWorkload(name: string, spec: ConvolutionSpec): Workload<ConvolutionSpec> {
  const { batch, channels, side, out, kernel, stride, padding, groups, pass } = spec;
  const { x, w, dy, outSide } = convolutionSizes(spec);
  const length = { forward: dy, 'input-gradient': x, 'weight-gradient': w }[pass];
  return {
    name,
    spec,
    flops: 2 * dy * (channels / groups) * kernel * kernel,
    traffic: 4 * (x + w + dy),
    prepare: (engine, seed) =>
      preparePlan(engine, convolutionOperands(spec, name, seed), (b) => {
        const input = b.input('x', [batch, channels, side, side], { requiresGradient: pass === 'input-gradient' });
        const weight = b.input('w', [out, channels / groups, kernel, kernel], {
          layout: 'dense',
          requiresGradient: pass === 'weight-gradient',
        });
        const convolve = () =>
          conv2d(b, input, weight, {
            stride: [stride, stride],
            padding: { top: padding, left: padding, bottom: padding, right: padding },
            dilation: [1, 1],
            groups,
          });
        if (pass === 'forward') return { y: convolve() };
        const y = b.without(convolve);
        const gradients = b.backward(y, b.input('dy', [batch, out, outSide, outSide]));
        const result = gradients.get(pass === 'input-gradient' ? input : weight);
        if (!result) throw new Error(`${name}: the convolution gave no gradient.`);
        return { y: result };
      }),
    reference(seed) {
      const operands = convolutionOperands(spec, name, seed);
      return { y: sample(length, seed, name, (index) => referenceElement(spec, operands, index)) };
    },
  };
}

interface Shape {
  readonly title: string;
  readonly channels: number;
  readonly out: number;
  readonly side: number;
  readonly kernel: number;
  readonly stride?: number;
  readonly groups?: number;
}

/** ResNet's 3x3 and 1x1 (He et al. 2016, table 1), MobileNet-v2's 1x1 and depthwise (Sandler et al. 2018, table 2). */
const SHAPES: readonly Shape[] = [
  { title: 'conv3x3-64-64@56', channels: 64, out: 64, side: 56, kernel: 3 },
  { title: 'conv3x3-256-256@14', channels: 256, out: 256, side: 14, kernel: 3 },
  { title: 'conv1x1-64-256@56', channels: 64, out: 256, side: 56, kernel: 1 },
  { title: 'conv1x1-144-24@56', channels: 144, out: 24, side: 56, kernel: 1 },
  { title: 'conv1x1-160-960@7', channels: 160, out: 960, side: 7, kernel: 1 },
  { title: 'depthwise3x3-144@56', channels: 144, out: 144, side: 56, kernel: 3, groups: 144 },
  { title: 'depthwise3x3-96@112/2', channels: 96, out: 96, side: 112, kernel: 3, stride: 2, groups: 96 },
  { title: 'depthwise3x3-384@14', channels: 384, out: 384, side: 14, kernel: 3, groups: 384 },
];

const BATCH = 8;

export const convolutionWorkloads = SHAPES.flatMap(({ title, stride = 1, groups = 1, ...shape }) =>
  PASSES.map((pass) =>
    convolutionWorkload(`${title}-${pass}`, {
      kind: 'convolution',
      pass,
      batch: BATCH,
      stride,
      groups,
      padding: (shape.kernel - 1) / 2,
      ...shape,
    }),
  ),
);

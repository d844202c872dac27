import type { BatchNormSpec, ConvolutionSpec, InferenceSpec, TrainingStepSpec, PeerSpec } from '../specs.js';
import { BATCH_NORM_EPSILON } from '../reference/batchNorm.js';
import { convolutionSizes } from '../reference/convolution.js';
import { batchNormOperands } from '../workloads/batchNorm.js';
import { convolutionOperands } from '../workloads/convolution.js';
import { matmulOperands } from '../workloads/matmul.js';
import { softmaxLogits } from '../workloads/softmax.js';
import { offerWebGpu } from './gpu.js';
import { prepareJaxInference } from './jaxNetwork.js';
import { type Jax, type JaxArray, prepared } from './jaxFunctions.js';
import type { Load, Peer, PreparedPeer } from './peer.js';

/** jax-js on WebGPU, each workload one function compiled by its `jit`. */
export async function openJax(load: Load): Promise<Peer> {
  offerWebGpu();
  const jax = await load<Jax>('@jax-js/jax');
  if (!(await jax.init('webgpu')).includes('webgpu')) throw new Error('jax-js cannot start its WebGPU backend.');
  jax.defaultDevice('webgpu');
  return {
    async prepare(spec: PeerSpec, name: string, seed: number): Promise<PreparedPeer> {
      if (spec.kind === 'inference') return prepareJaxInference(jax, spec, name, seed);
      if (spec.kind === 'fineTuning' || spec.kind === 'headStep') {
        throw new Error('the benchmark has no training step for jax-js');
      }
      const { compute, operands } = operationOf(jax, spec as OperationSpec, name, seed);
      return prepared(jax, compute, operands);
    },
  };
}

type OperationSpec = Exclude<PeerSpec, InferenceSpec | TrainingStepSpec>;

function operationOf(jax: Jax, spec: OperationSpec, name: string, seed: number) {
  const { numpy: np } = jax;
  const upload = (values: Float32Array, shape: readonly number[]) => np.array(values, { shape });
  switch (spec.kind) {
    case 'matmul': {
      const { a, b } = matmulOperands(spec, name, seed);
      return {
        operands: [a, b].map((values) => upload(values, [spec.size, spec.size])),
        compute: (...[left, right]: JaxArray[]) => ({ y: np.matmul(left as JaxArray, right as JaxArray) }),
      };
    }
    case 'softmax':
      return {
        operands: [upload(softmaxLogits(spec, name, seed), [spec.rows, spec.classes])],
        compute: (...[x]: JaxArray[]) => ({ y: jax.nn.softmax(x as JaxArray, -1) }),
      };
    case 'convolution':
      return convolution(jax, spec, name, seed);
    case 'batchNorm':
      return batchNorm(jax, spec, name, seed);
  }
}

function convolution(jax: Jax, spec: ConvolutionSpec, name: string, seed: number) {
  const { batch, channels, side, out, kernel, stride, padding, groups, pass } = spec;
  const { outSide } = convolutionSizes(spec);
  const shapes: Record<string, number[]> = {
    x: [batch, channels, side, side],
    w: [out, channels / groups, kernel, kernel],
    dy: [batch, out, outSide, outSide],
  };
  const operands = Object.entries(convolutionOperands(spec, name, seed)).map(([key, values]) =>
    jax.numpy.array(values, { shape: shapes[key] as number[] }),
  );
  const convolve = (x: JaxArray, w: JaxArray): JaxArray =>
    jax.lax.convGeneralDilated(
      x,
      w,
      [stride, stride],
      [
        [padding, padding],
        [padding, padding],
      ],
      { featureGroupCount: groups },
    );
  if (pass === 'forward') {
    return { operands, compute: (...[x, w]: JaxArray[]) => ({ y: convolve(x as JaxArray, w as JaxArray) }) };
  }
  // A convolution is linear in each operand: its gradient does not depend on that operand's value, and compilation drops the forward pass.
  const compute = (...[known, dy]: JaxArray[]) => {
    const isInput = pass === 'input-gradient';
    const at = jax.numpy.array(new Float32Array(isInput ? convolutionSizes(spec).x : convolutionSizes(spec).w), {
      shape: (isInput ? shapes.x : shapes.w) as number[],
    });
    const linear = (value: JaxArray) =>
      isInput ? convolve(value, (known as JaxArray).ref) : convolve((known as JaxArray).ref, value);
    const [y, backward] = jax.vjp(linear as (...args: JaxArray[]) => JaxArray, [at]);
    y.dispose();
    return { y: backward(dy as JaxArray)[0] as JaxArray };
  };
  return { operands, compute };
}

function batchNorm(jax: Jax, spec: BatchNormSpec, name: string, seed: number) {
  const { numpy: np } = jax;
  const { batch, channels, side } = spec;
  const { x, weight, bias, dy } = batchNormOperands(spec, name, seed);
  const shape = [batch, channels, side, side];
  const operands = [np.array(x, { shape }), ...[weight, bias].map((values) => np.array(values, { shape: [channels] }))];
  const axes = [0, 2, 3];
  const perChannel = [1, channels, 1, 1];
  const forward = (...[input, scale, offset]: JaxArray[]): JaxArray => {
    const value = input as JaxArray;
    const mean = np.mean(value.ref, axes, { keepdims: true });
    const deviation = np.sqrt(np.var_(value.ref, axes, { keepdims: true }).add(BATCH_NORM_EPSILON));
    const normalised = np.divide(value.sub(mean), deviation);
    return normalised.mul((scale as JaxArray).reshape(perChannel)).add((offset as JaxArray).reshape(perChannel));
  };
  if (!dy) return { operands, compute: (...args: JaxArray[]) => ({ y: forward(...args) }) };
  const compute = (...[a, b, c, gradient]: JaxArray[]) => {
    const [y, backward] = jax.vjp(forward, [a, b, c] as JaxArray[]);
    const [dx, dWeight, dBias] = backward(gradient as JaxArray) as [JaxArray, JaxArray, JaxArray];
    return { y, dx, dWeight, dBias };
  };
  return { operands: [...operands, np.array(dy, { shape })], compute };
}

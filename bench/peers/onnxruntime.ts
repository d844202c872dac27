import { convolutionSizes } from '../reference/convolution.js';
import { normalised } from '../reference/network.js';
import { benchNetwork } from '../networks.js';
import type { ConvolutionSpec, InferenceSpec, MatmulSpec, SoftmaxSpec, PeerSpec } from '../specs.js';
import { convolutionOperands } from '../workloads/convolution.js';
import { benchPictures } from '../workloads/inference.js';
import { matmulOperands } from '../workloads/matmul.js';
import { softmaxLogits } from '../workloads/softmax.js';
import { FLOAT, onnxFile, rawTensor, valueInfo } from '../../test/models/onnxWriter.js';
import { foldedLayers } from './folded.js';
import { onnxNetwork } from './onnxNetwork.js';
import type { Load, Peer, PreparedPeer } from './peer.js';

interface OrtTensor {
  readonly data: Float32Array;
}
interface OrtSession {
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
  release(): Promise<void>;
}
interface Ort {
  readonly Tensor: new (type: 'float32', data: Float32Array, shape: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(model: Uint8Array): Promise<OrtSession> };
}

/** A model with what it reads; its output is called y. */
interface Model {
  readonly file: Uint8Array;
  readonly feeds: Readonly<Record<string, { readonly data: Float32Array; readonly shape: readonly number[] }>>;
  readonly output: 'y' | 'logits';
}

/** ONNX Runtime on the CPU, with as many threads as it chooses. It infers only. */
export async function openOnnxRuntime(load: Load): Promise<Peer> {
  const { default: ort } = await load<{ default: Ort }>('onnxruntime-node');
  let session: OrtSession | null = null;
  return {
    async prepare(spec: PeerSpec, name: string, seed: number): Promise<PreparedPeer> {
      await session?.release();
      session = null;
      const { file, feeds: values, output } = modelOf(spec, name, seed);
      const opened = await ort.InferenceSession.create(file);
      session = opened;
      const feeds = Object.fromEntries(
        Object.entries(values).map(([key, { data, shape }]) => [key, new ort.Tensor('float32', data, shape)]),
      );
      return {
        run: () => opened.run(feeds),
        idle: async () => undefined,
        results: async () => ({ [output]: (await opened.run(feeds)).y?.data ?? [] }),
      };
    },
  };
}

const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

function modelOf(spec: PeerSpec, name: string, seed: number): Model {
  switch (spec.kind) {
    case 'matmul':
      return matmulModel(spec, name, seed);
    case 'softmax':
      return softmaxModel(spec, name, seed);
    case 'inference':
      return networkModel(spec, name, seed);
    case 'convolution':
      if (spec.pass === 'forward') return convolutionModel(spec, name, seed);
      break;
    default:
      break;
  }
  throw new Error('onnxruntime-node has no training');
}

function matmulModel(spec: MatmulSpec, name: string, seed: number): Model {
  const shape = [spec.size, spec.size];
  const { a, b } = matmulOperands(spec, name, seed);
  const file = onnxFile({
    nodes: [{ op: 'MatMul', inputs: ['a', 'b'], outputs: ['y'] }],
    inputs: [valueInfo('a', shape), valueInfo('b', shape)],
  });
  return { file, feeds: { a: { data: a, shape }, b: { data: b, shape } }, output: 'y' };
}

function softmaxModel(spec: SoftmaxSpec, name: string, seed: number): Model {
  const shape = [spec.rows, spec.classes];
  const file = onnxFile({
    nodes: [{ op: 'Softmax', inputs: ['x'], outputs: ['y'] }],
    inputs: [valueInfo('x', shape)],
  });
  return { file, feeds: { x: { data: softmaxLogits(spec, name, seed), shape } }, output: 'y' };
}

function convolutionModel(spec: ConvolutionSpec, name: string, seed: number): Model {
  const { batch, channels, side, out, kernel, stride, padding, groups } = spec;
  const operands = convolutionOperands(spec, name, seed);
  const shape = [batch, channels, side, side];
  const { outSide } = convolutionSizes(spec);
  const attributes = {
    kernel_shape: [kernel, kernel],
    strides: [stride, stride],
    pads: [padding, padding, padding, padding],
    group: groups,
  };
  const file = onnxFile({
    nodes: [{ op: 'Conv', inputs: ['x', 'w'], outputs: ['y'], attributes }],
    initializers: [
      rawTensor('w', [out, channels / groups, kernel, kernel], FLOAT, bytesOf(operands.w as Float32Array)),
    ],
    inputs: [valueInfo('x', shape)],
    outputs: [valueInfo('y', [batch, out, outSide, outSide])],
  });
  return { file, feeds: { x: { data: operands.x as Float32Array, shape } }, output: 'y' };
}

function networkModel(spec: InferenceSpec, name: string, seed: number): Model {
  const original = benchNetwork(spec, seed);
  const { network, weights } = foldedLayers(original.network, original.weights);
  const { shape, data } = normalised(network, benchPictures(spec, name, seed));
  const file = onnxNetwork(network, weights, spec.batch);
  return { file, feeds: { input: { data: Float32Array.from(data), shape } }, output: 'logits' };
}

import type * as Tf from '@tensorflow/tfjs-core';
import { gradientsRegistered } from '../../test/training/tfjsGradients.js';
import type { PeerSpec } from '../specs.js';
import { offerWebGpu, settle } from './gpu.js';
import type { Load, Peer, PreparedPeer } from './peer.js';
import { prepareOperation } from './tfjsOperations.js';
import { prepareInference, prepareTraining } from './tfjsWorkloads.js';

/** What the workloads need of a tfjs backend. */
export interface Tfjs {
  readonly tf: typeof Tf;
  /** Values of a tensor. */
  readonly read: (tensor: Tf.Tensor) => Promise<Float32Array>;
  readonly idle: () => Promise<void>;
}

interface WebGpuBackend {
  /** Of the work that is recorded but not submitted. */
  readonly commandEncoder: GPUCommandEncoder | null;
  endComputePassEncoder(): void;
  submitQueue(): void;
  readonly device: GPUDevice;
}

/** TensorFlow.js on its WebGPU backend, or on its WebAssembly one (SIMD, one thread: all that it offers in Node). */
export async function openTfjs(load: Load, backend: 'webgpu' | 'wasm'): Promise<Peer> {
  if (backend === 'webgpu') offerWebGpu();
  const { default: tf } = await load<{ default: typeof Tf }>('@tensorflow/tfjs-core');
  await load(`@tensorflow/tfjs-backend-${backend}`);
  await gradientsRegistered;
  if (!(await tf.setBackend(backend))) throw new Error(`tfjs cannot start its backend ${backend}.`);
  await tf.ready();
  const gpu = backend === 'webgpu' ? (tf.backend() as unknown as WebGpuBackend) : null;
  const tfjs: Tfjs = {
    tf,
    read: async (tensor) => Float32Array.from(await (gpu ? settle(tensor.data()) : tensor.data())),
    async idle() {
      if (!gpu) return;
      if (gpu.commandEncoder) {
        gpu.endComputePassEncoder();
        gpu.submitQueue();
      }
      await settle(gpu.device.queue.onSubmittedWorkDone());
    },
  };
  let before: PreparedPeer | null = null;
  return {
    async prepare(spec: PeerSpec, name: string, seed: number) {
      // Everything of the workload before.
      if (before) tf.engine().endScope();
      tf.engine().startScope();
      before = await prepare(tfjs, spec, name, seed);
      return before;
    },
  };
}

async function prepare(tfjs: Tfjs, spec: PeerSpec, name: string, seed: number): Promise<PreparedPeer> {
  switch (spec.kind) {
    case 'inference':
      return prepareInference(tfjs, spec, name, seed);
    case 'headStep':
    case 'fineTuning':
      return prepareTraining(tfjs, spec, name, seed);
    default:
      return prepareOperation(tfjs, spec, name, seed);
  }
}

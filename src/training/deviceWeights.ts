import type { DeviceTensor, Engine } from '../kernels/engine.js';
import type { Weights, WeightTensor } from '../models/network.js';
import { weightOf } from './fold.js';

/** A network's weights on the device, uploaded when first asked for, shared by the plans of a run. */
export class DeviceWeights {
  private readonly tensors = new Map<string, DeviceTensor>();

  constructor(
    private readonly engine: Engine,
    private readonly weights: Weights,
  ) {}

  get(name: string): DeviceTensor {
    return this.derived(name, () => weightOf(this.weights, name));
  }

  /** A tensor that is computed from the weights (a folded kernel), kept under its own key. */
  derived(key: string, compute: () => WeightTensor): DeviceTensor {
    let tensor = this.tensors.get(key);
    if (!tensor) {
      const { shape, data } = compute();
      tensor = this.engine.upload(key, shape, data);
      this.tensors.set(key, tensor);
    }
    return tensor;
  }

  /** Reads `names` back. */
  async read(names: readonly string[]): Promise<Map<string, WeightTensor>> {
    const result = new Map<string, WeightTensor>();
    for (const name of names) {
      const tensor = this.get(name);
      result.set(name, { shape: tensor.shape, data: await this.engine.read(tensor) });
    }
    return result;
  }

  dispose(): void {
    for (const tensor of this.tensors.values()) this.engine.destroyTensor(tensor);
    this.tensors.clear();
  }
}

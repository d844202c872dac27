import type { DeviceTensor, Engine } from '../kernels/engine.js';
import type { Weights, WeightTensor } from '../models/network.js';
import { weightOf } from './fold.js';

type FloatType = 'f32' | 'f16';

/** A network's weights on the device, uploaded when first asked for, shared by the plans of a run. */
export class DeviceWeights {
  private readonly tensors = new Map<string, DeviceTensor>();

  /** `elsewhere` gives the tensors that someone else keeps (the optimizer, those that train). */
  constructor(
    private readonly engine: Engine,
    private readonly weights: Weights,
    private readonly elsewhere: (name: string, dtype: FloatType) => DeviceTensor | undefined = () => undefined,
  ) {}

  get(name: string, dtype: FloatType = 'f32'): DeviceTensor {
    return this.elsewhere(name, dtype) ?? this.derived(name, () => weightOf(this.weights, name), dtype);
  }

  /** A tensor that is computed from the weights (a folded kernel), kept under its own key. */
  derived(key: string, compute: () => WeightTensor, dtype: FloatType = 'f32'): DeviceTensor {
    const typedKey = `${key} ${dtype}`;
    let tensor = this.tensors.get(typedKey);
    if (!tensor) {
      const { shape, data } = compute();
      tensor = this.engine.upload(key, shape, data, { dtype });
      this.tensors.set(typedKey, tensor);
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

import type { Engine } from '../../kernels/engine.js';
import { augmentPictures } from '../../kernels/ops/augment/augment.js';
import { AUGMENTATION_COLUMNS } from '../../kernels/ops/augment/parameters.js';
import type { PlanBuilder } from '../../kernels/planBuilder.js';
import { elementCount, type Shape, type Tensor } from '../../kernels/tensor.js';
import type { Network, Weights } from '../../models/network.js';
import { inferShapes } from '../../models/shapes.js';
import { DeviceWeights } from '../deviceWeights.js';
import { buildForward } from '../forward.js';
import type { HeadInputs } from '../headInputs.js';
import { inputLayer, logitsLayer } from '../inference.js';
import type { Partition } from '../partition.js';
import type { TrainingInputs } from '../trainingInputs.js';
import type { PictureSource, Sample } from '../types.js';
import { drawBatch, mixedTargets } from './batch.js';
import type { AugmentationPolicy } from './policy.js';
import type { AugmentationSizes } from './sample.js';
import { wholePicture } from './wholePicture.js';

export interface AugmentedPicturesRequest {
  readonly engine: Engine;
  readonly network: Network;
  readonly weights: Weights;
  readonly partition: Partition;
  /** Pictures decoded as `wholePicture` of the network's preprocessing says. */
  readonly pictures: PictureSource;
  readonly policy: AugmentationPolicy;
  readonly seed: number;
}

/**
 * Training pictures that differ in every epoch: each step uploads their bytes and what is done to them, and augments them on the
 * device; the frozen trunk, in evaluation mode, is part of the step.
 */
export class AugmentedPictures implements TrainingInputs {
  readonly mixesTargets: boolean;
  private readonly classes: number;
  private readonly sizes: AugmentationSizes;
  private readonly device: DeviceWeights;

  constructor(private readonly request: AugmentedPicturesRequest) {
    const { engine, network, weights, policy } = request;
    const { height, width } = network.preprocessing;
    const size = { height, width };
    this.sizes = { source: wholePicture(network.preprocessing), central: size, target: size };
    this.mixesTargets = policy.mixup > 0 || policy.cutmix > 0;
    this.classes = elementCount(inferShapes(network).get(logitsLayer(network)) as Shape);
    this.device = new DeviceWeights(engine, weights);
  }

  addInputs(b: PlanBuilder, size: number): Map<string, Tensor> {
    const { network, weights, partition, policy } = this.request;
    const { source } = this.sizes;
    const bytes = b.input('pictures', [size, source.height, source.width, 3], { dtype: 'u8', layout: 'dense' });
    const table = b.input('augmentation', [size, AUGMENTATION_COLUMNS], { layout: 'dense' });
    const input = augmentPictures(b, bytes, table, { ...network.preprocessing, fill: policy.fill });
    return buildForward(b, network, weights, this.device, {
      layers: partition.trunk,
      values: new Map([[inputLayer(network).name, input]]),
      keep: new Set(partition.boundary),
      mode: 'eval',
      weightsAreFixed: true,
    });
  }

  async load(samples: readonly Sample[], epoch: number, parts: readonly number[]): Promise<HeadInputs> {
    const { pictures, policy, seed } = this.request;
    const { classes } = this;
    const bytes = await pictures.load(samples.map(({ hash }) => hash));
    const table = new Float32Array(samples.length * AUGMENTATION_COLUMNS);
    const targets = new Float32Array(this.mixesTargets ? samples.length * classes : 0);
    let first = 0;
    // Pictures are mixed within a part: the others are not on the device with it.
    for (const size of parts) {
      const part = samples.slice(first, first + size);
      const drawn = drawBatch(policy, this.sizes, { seed, epoch, pictures: part.map(({ hash }) => hash) });
      table.set(drawn.table, first * AUGMENTATION_COLUMNS);
      if (this.mixesTargets) {
        const labels = part.map(({ label }) => label);
        targets.set(mixedTargets(labels, drawn.shares, classes), first * classes);
      }
      first += size;
    }
    return { pictures: bytes, augmentation: table, ...(this.mixesTargets ? { targets } : {}) };
  }

  dispose(): void {
    this.device.dispose();
  }
}

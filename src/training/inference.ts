import type { Engine } from '../kernels/engine.js';
import { flatten } from '../kernels/ops/flatten/flatten.js';
import { channelsOf, normalizePictures } from '../kernels/ops/pictures/pictures.js';
import { softmax } from '../kernels/ops/softmax/softmax.js';
import { type Plan } from '../kernels/plan.js';
import { PlanBuilder } from '../kernels/planBuilder.js';
import { elementCount, type Shape, type Tensor } from '../kernels/tensor.js';
import { tuned } from '../kernels/tuner.js';
import type { InputLayer, Layer, Network, Weights } from '../models/network.js';
import { ahead, batchesOf } from './ahead.js';
import { DeviceWeights } from './deviceWeights.js';
import { TrainingError } from './errors.js';
import { buildForward } from './forward.js';
import type { PictureSource } from './types.js';

/** Pictures a batch in inference: enough columns for the matrix products, little memory on a software adapter. */
export const inferenceBatchSize = (engine: Engine): number => (engine.kernelFamily === 'subgroup8' ? 8 : 32);

/** Batches that are decoded before the device asks for them. */
const BATCHES_AHEAD = 2;

export function inputLayer(network: Network): InputLayer {
  const first = network.layers[0];
  if (first?.kind !== 'input') throw new TrainingError('INVALID_NETWORK', 'The first layer of a network is its input.');
  return first;
}

/** The layer whose output are the logits: the last one, or the one before a closing softmax. */
export function logitsLayer(network: Network): string {
  const last = network.layers.at(-1);
  if (!last) throw new TrainingError('INVALID_NETWORK', 'The network has no layers.');
  return last.kind === 'softmax' ? (last.inputs[0] as string) : last.name;
}

/** The layers that the values of `names` depend on, in topological order. */
export function ancestors(network: Network, names: readonly string[]): Layer[] {
  const needed = new Set(names);
  for (const layer of [...network.layers].reverse()) {
    if (needed.has(layer.name)) for (const input of layer.inputs) needed.add(input);
  }
  return network.layers.filter((layer) => needed.has(layer.name));
}

/** Puts uint8 pictures [N, H, W, 3] (plan input `pictures`) onto a plan as the network's normalised input. */
export function pictureInput(b: PlanBuilder, network: Network, batchSize: number): Tensor {
  const { height, width } = network.preprocessing;
  const [channels, expectedHeight, expectedWidth] = inputLayer(network).shape;
  const made = channelsOf(network.preprocessing);
  if (channels !== made || height !== expectedHeight || width !== expectedWidth) {
    throw new TrainingError(
      'INVALID_NETWORK',
      `The preprocessing makes ${made} x ${height} x ${width}; the network reads ${channels} x ${expectedHeight} x ${expectedWidth}.`,
    );
  }
  const bytes = b.input('pictures', [batchSize, height, width, 3], { dtype: 'u8', layout: 'dense' });
  return normalizePictures(b, bytes, network.preprocessing);
}

export interface InferenceOptions {
  readonly batchSize: number;
  /** Layers whose values are read back. */
  readonly layers: readonly string[];
  /** Adds the output `probabilities`: the softmax of the logits, [N, classes]. */
  readonly probabilities?: boolean;
  /** In which float type activations and kernels are stored; float32 without. */
  readonly activationType?: 'f32' | 'f16';
  /** Kernels that were never measured on this device are, where the engine has a tuner: for plans that run many times. */
  readonly isTuned?: boolean;
}

function buildInference(
  engine: Engine,
  network: Network,
  weights: Weights,
  device: DeviceWeights,
  options: InferenceOptions,
): { b: PlanBuilder; shapes: ReadonlyMap<string, Shape> } {
  const b = new PlanBuilder(engine, { activationType: options.activationType });
  const input = pictureInput(b, network, options.batchSize);
  const logits = options.probabilities ? [logitsLayer(network)] : [];
  const keep = new Set([...options.layers, ...logits]);
  const values = buildForward(b, network, weights, device, {
    layers: ancestors(network, [...keep]),
    values: new Map([[inputLayer(network).name, input]]),
    keep,
    mode: 'eval',
    weightsAreFixed: true,
  });
  const shapes = new Map<string, Shape>();
  const output = (name: string, tensor: Tensor) => {
    b.output(name, tensor);
    shapes.set(name, tensor.shape.slice(1));
  };
  for (const name of options.layers) output(name, values.get(name) as Tensor);
  for (const name of logits) {
    const value = values.get(name) as Tensor;
    output('probabilities', softmax(b, value.shape.length === 4 ? flatten(b, value) : value));
  }
  return { b, shapes };
}

/** A network in evaluation mode that is laid out, its kernels chosen and its weights on the device, but not compiled. */
export class InferenceDraft {
  private constructor(
    private readonly batchSize: number,
    private readonly builder: PlanBuilder,
    private readonly device: DeviceWeights,
    private readonly pictureBytes: number,
    /** Shape of one picture's value, by output. */
    readonly shapes: ReadonlyMap<string, Shape>,
  ) {}

  static async create(
    engine: Engine,
    network: Network,
    weights: Weights,
    options: InferenceOptions,
  ): Promise<InferenceDraft> {
    const device = new DeviceWeights(engine, weights);
    try {
      const build = () => buildInference(engine, network, weights, device, options);
      const { b, shapes } = options.isTuned ? await tuned(engine, build) : build();
      const { height, width } = network.preprocessing;
      return new InferenceDraft(options.batchSize, b, device, height * width * 3, shapes);
    } catch (error) {
      device.dispose();
      throw error;
    }
  }

  /** What the plan will compute, as text; see `PlanBuilder.description`. */
  get description(): string {
    return this.builder.description;
  }

  /** The weights are the plan's from now on, or freed where this fails. */
  async compile(): Promise<InferencePlan> {
    try {
      const plan = await this.builder.compile();
      return new InferencePlan(this.batchSize, plan, this.device, this.pictureBytes, this.shapes);
    } catch (error) {
      this.device.dispose();
      throw error;
    }
  }

  /** Only of a draft that is not compiled. */
  dispose(): void {
    this.device.dispose();
  }
}

/** A network in evaluation mode at a fixed batch size, batch norms folded. */
export class InferencePlan {
  /** Made by `compile`. */
  constructor(
    readonly batchSize: number,
    private readonly plan: Plan,
    private readonly device: DeviceWeights,
    private readonly pictureBytes: number,
    /** Shape of one picture's value, by output. */
    readonly shapes: ReadonlyMap<string, Shape>,
  ) {}

  static async compile(
    engine: Engine,
    network: Network,
    weights: Weights,
    options: InferenceOptions,
  ): Promise<InferencePlan> {
    return (await InferenceDraft.create(engine, network, weights, options)).compile();
  }

  get dispatchCount(): number {
    return this.plan.dispatchCount;
  }

  /** Runs once on nothing: some drivers make machine code only when a pipeline runs for the first time. */
  async warm(): Promise<void> {
    await this.run(new Uint8Array(this.pictureBytes))();
  }

  /**
   * Submits up to `batchSize` pictures (N x H x W x 3 bytes). The returned function waits for the outputs, each cut to the
   * number of pictures given, in logical order.
   */
  run(pictures: Uint8Array): () => Promise<Record<string, Float32Array>> {
    const count = pictures.length / this.pictureBytes;
    if (!Number.isInteger(count) || count < 1 || count > this.batchSize) {
      throw new TrainingError(
        'INVALID_OPTIONS',
        `${pictures.length} bytes are not 1..${this.batchSize} pictures of ${this.pictureBytes} bytes.`,
      );
    }
    let batch = pictures;
    if (count < this.batchSize) {
      batch = new Uint8Array(this.batchSize * this.pictureBytes);
      batch.set(pictures);
    }
    const finish = this.plan.run({ pictures: batch });
    return async () => {
      const outputs: Record<string, Float32Array> = await finish();
      for (const [name, shape] of this.shapes) {
        outputs[name] = (outputs[name] as Float32Array).subarray(0, count * elementCount(shape));
      }
      return outputs;
    };
  }

  /**
   * Runs the plan over any number of pictures and calls `visit` with the outputs of each batch, in order. The next batches are
   * decoded while the device works, and a batch is read back while the next one runs. Where `visit` returns false or the signal is
   * aborted, it ends early, without an error.
   */
  async runAll<Item extends { readonly hash: string }>(
    items: readonly Item[],
    pictures: PictureSource,
    visit: (batch: readonly Item[], outputs: Readonly<Record<string, Float32Array>>) => boolean | Promise<boolean>,
    signal?: AbortSignal | null,
  ): Promise<void> {
    let running: (() => Promise<boolean>) | null = null;
    const settle = async (): Promise<boolean> => {
      const finish = running;
      running = null;
      return finish === null || (await finish());
    };
    const load = (batch: readonly Item[]) => pictures.load(batch.map(({ hash }) => hash));
    try {
      for await (const [batch, bytes] of ahead(batchesOf(items, this.batchSize), BATCHES_AHEAD, load)) {
        if (signal?.aborted) break;
        const finish = this.run(bytes);
        const goOn = await settle();
        running = async () => visit(batch, await finish());
        if (!goOn) break;
      }
      await settle();
    } finally {
      await settle().catch(() => undefined);
    }
  }

  dispose(): void {
    this.plan.dispose();
    this.device.dispose();
  }
}

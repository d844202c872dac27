import { readSafetensors, writeSafetensors } from '../models/formats/safetensors.js';
import { TrainingError } from './errors.js';

/** What was measured when an epoch was done. */
export interface BestEpoch {
  readonly epoch: number;
  readonly loss: number;
  readonly accuracy: number;
  /** The weights that the run trains, as they were then. */
  readonly weights: ReadonlyMap<string, Float32Array>;
}

/** Where a run is between two steps: with it, the rest of the run gives the same bits as if nothing had been in between. */
export interface TrainingCheckpoint {
  /** The epoch that is being trained, from 1, and how many of its batches are done. */
  readonly epoch: number;
  readonly batches: number;
  /** Of these batches: sum of the losses, right answers, pictures. */
  readonly lossSum: number;
  readonly correct: number;
  readonly seen: number;
  /** Steps since the beginning of the run. */
  readonly steps: number;
  readonly secondsFeatures: number;
  readonly secondsTrain: number;
  /** Null where there is no validation yet, or none at all. */
  readonly best: BestEpoch | null;
  /** Parameters, the optimiser's state and the statistics of batch norms, by name. */
  readonly tensors: ReadonlyMap<string, Float32Array>;
}

/** Version of the form below. */
const VERSION = 1;
const KEY = 'graft.checkpoint';
const STATE = 'state/';
const BEST = 'best/';

/** One file of tensors, and the numbers beside them. `owner` stands for what a checkpoint is good for. */
export function writeCheckpoint(checkpoint: TrainingCheckpoint, owner: string): Uint8Array {
  const { tensors, best, ...numbers } = checkpoint;
  const { weights, ...measured } = best ?? { weights: new Map<string, Float32Array>() };
  const entries = [
    ...Array.from(tensors, ([name, data]) => [`${STATE}${name}`, data] as const),
    ...Array.from(weights, ([name, data]) => [`${BEST}${name}`, data] as const),
  ];
  const json = JSON.stringify({ version: VERSION, owner, numbers, best: best && measured });
  return writeSafetensors({
    metadata: new Map([[KEY, json]]),
    tensors: new Map(entries.map(([name, data]) => [name, { shape: [data.length], data }])),
  });
}

/** Null for a checkpoint of another owner or form: then the run begins anew. Throws ModelError for a file that is none. */
export function readCheckpoint(bytes: Uint8Array, owner: string): TrainingCheckpoint | null {
  const file = readSafetensors(bytes);
  const json = JSON.parse(file.metadata.get(KEY) ?? 'null') as {
    version: number;
    owner: string;
    numbers: Omit<TrainingCheckpoint, 'tensors' | 'best'>;
    best: Omit<BestEpoch, 'weights'> | null;
  } | null;
  if (json?.version !== VERSION || json.owner !== owner) return null;
  const named = (prefix: string) =>
    new Map(
      Array.from(file.tensors).flatMap(([name, { data }]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), data] as const] : [],
      ),
    );
  return { ...json.numbers, best: json.best && { ...json.best, weights: named(BEST) }, tensors: named(STATE) };
}

/** Where a run's checkpoints go, and where it went on from. */
export interface Checkpoints {
  /** The last one of an earlier try; null: the run begins. */
  readonly resume: TrainingCheckpoint | null;
  /** Least time between two. */
  readonly everySeconds: number;
  /** Share of the run's time that they may take, above 0. */
  readonly largestShare: number;
  /** Keeps a checkpoint; it replaces the one before. */
  save(checkpoint: TrainingCheckpoint): Promise<void>;
}

/** Says when the next checkpoint is due: seldom enough that they cost little, however long one takes. */
export class CheckpointClock {
  private last = performance.now();
  private cost = 0;

  constructor(private readonly options: Pick<Checkpoints, 'everySeconds' | 'largestShare'>) {}

  get isDue(): boolean {
    const { everySeconds, largestShare } = this.options;
    return performance.now() - this.last >= Math.max(everySeconds * 1000, this.cost / largestShare);
  }

  /** Times the making of one. */
  async during(work: () => Promise<void>): Promise<void> {
    const started = performance.now();
    await work();
    this.last = performance.now();
    this.cost = this.last - started;
  }
}

/** Takes `names` out of a checkpoint's tensors. Throws CHECKPOINT_MISMATCH where one is missing or of another length. */
export function take(
  tensors: ReadonlyMap<string, Float32Array>,
  name: string,
  length: number,
): Float32Array<ArrayBuffer> {
  const data = tensors.get(name);
  if (data?.length !== length) {
    throw new TrainingError(
      'CHECKPOINT_MISMATCH',
      `The checkpoint has ${data ? `${data.length} values` : 'nothing'} for ${name}; the run needs ${length}.`,
    );
  }
  return data as Float32Array<ArrayBuffer>;
}

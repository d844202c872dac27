import type { ComparisonOutcome } from '../models/receipt.js';
import type { TuningSettings } from '../runtime/tuning.js';
import type { Speed } from '../training/speed.js';
import type { EvaluationResult, Prediction, ProgressEvent, Sample, TrainingOptions } from '../training/types.js';

/** A revision as the worker needs it: the layers, and the blob with the weights. */
export interface ModelReference {
  readonly networkJson: string;
  readonly weightsHash: string;
}

export interface TrainJob {
  readonly kind: 'train';
  /** The run: names its checkpoint. */
  readonly run: string;
  readonly model: ModelReference;
  readonly train: readonly Sample[];
  readonly validation: readonly Sample[];
  readonly options: TrainingOptions;
}
export interface EvaluateJob {
  readonly kind: 'evaluate';
  readonly model: ModelReference;
  readonly samples: readonly Sample[];
  readonly classes: readonly string[];
}
export interface PredictJob {
  readonly kind: 'predict';
  readonly model: ModelReference;
  /** Blobs of the picture files. */
  readonly hashes: readonly string[];
  readonly topK: number;
}
/** An ONNX file that was exported, with what another engine has to know to run it. */
export interface ExportedGraph {
  /** Names of its input and output, and of the layers' values in it. */
  readonly input: string;
  readonly output: string;
  readonly values: readonly (readonly [layer: string, value: string])[];
  readonly pictures: { readonly type: 'uint8' | 'float32'; readonly layout: 'NHWC' | 'NCHW' } | null;
  readonly softmax: boolean;
}
/** Our engine against another on an exported file. */
export interface CompareExportJob {
  readonly kind: 'compareExport';
  readonly model: ModelReference;
  /** Blob of the ONNX file. */
  readonly hash: string;
  readonly exported: ExportedGraph;
  /** Blobs of picture files, beside those that are generated. */
  readonly pictures: readonly { readonly name: string; readonly hash: string }[];
}
/** How fast a network predicts. Its weights are random: they change nothing about the time. */
export interface MeasureJob {
  readonly kind: 'measure';
  readonly networkJson: string;
  readonly batchSize: number;
  /** For each of the two measurements. */
  readonly seconds: number;
}
/** Our engine against outputs that were given with a file. */
export interface CompareReferenceJob {
  readonly kind: 'compareReference';
  readonly model: ModelReference;
  /** Blobs of pictures, or one blob of float32 values that the network reads, with a name for each row. */
  readonly inputs:
    | { readonly pictures: readonly { readonly name: string; readonly hash: string }[] }
    | { readonly values: string; readonly names: readonly string[] };
  /** Blob of float32 values. */
  readonly expected: string;
  readonly source: string;
  readonly tolerance: number;
  /** Blob of the ONNX file that the network came from; null for other formats. */
  readonly onnx: string | null;
}
export type Job = TrainJob | EvaluateJob | PredictJob | CompareExportJob | CompareReferenceJob | MeasureJob;

export interface TrainOutcome {
  /** Blobs with the weights, as safetensors. */
  readonly bestWeights: string;
  readonly lastWeights: string;
  readonly bestEpoch: number;
  readonly steps: number;
  readonly secondsFeatures: number;
  readonly secondsTrain: number;
  readonly cancelled: boolean;
}
/** One picture; an error says why it could not be read. */
export interface PredictOutcome {
  readonly predictions: readonly Prediction[];
  readonly error: string | null;
}
export interface JobResults {
  readonly train: TrainOutcome;
  readonly evaluate: EvaluationResult;
  readonly predict: readonly PredictOutcome[];
  readonly compareExport: ComparisonOutcome;
  readonly measure: Speed;
  readonly compareReference: ComparisonOutcome;
}
export type JobResult = JobResults[Job['kind']];
export type ResultOf<J extends Job> = JobResults[J['kind']];

/** What a worker knows of its adapter. */
export interface DeviceInfo {
  readonly vendor: string;
  readonly architecture: string;
  readonly description: string;
  readonly isSoftware: boolean;
  readonly kernelFamily: string;
  readonly features: readonly string[];
}

/** What a worker process is told at its start. */
export interface WorkerSettings {
  /** Module that exports `openExecutor`. */
  readonly executor: string;
  /** Folder of the blobs. */
  readonly blobs: string;
  /** Folder of cached features and the bytes that it may take; null: features are not kept beyond a run. */
  readonly features: { readonly folder: string; readonly limitBytes: number } | null;
  /** Part of the name of the adapter to compute on; null: the fastest. */
  readonly adapter: string | null;
  readonly tuning: TuningSettings;
  /** Folder of the checkpoints and the least time between two of a run; null: runs begin anew when the worker dies. */
  readonly checkpoints: { readonly folder: string; readonly everySeconds: number } | null;
}

export interface JobContext {
  /** Aborted when the job is to end early. */
  readonly signal: AbortSignal;
  readonly onProgress: (event: ProgressEvent) => Promise<void>;
}

/** What runs jobs inside the worker process. One training and one other job may run at the same time. */
export interface Executor {
  readonly device: DeviceInfo;
  /** Resolves when the device is gone for good; the worker is replaced then. */
  readonly lost: Promise<Error>;
  run(job: Job, context: JobContext): Promise<JobResult>;
  close(): Promise<void>;
}
export type OpenExecutor = (settings: WorkerSettings) => Promise<Executor>;

export interface ErrorMessage {
  readonly code: string;
  readonly message: string;
}

export type ToWorker =
  | { readonly type: 'open'; readonly settings: WorkerSettings }
  | { readonly type: 'run'; readonly id: number; readonly job: Job }
  | { readonly type: 'cancel'; readonly id: number }
  | { readonly type: 'stop' };

export type FromWorker =
  | { readonly type: 'ready'; readonly device: DeviceInfo }
  | { readonly type: 'unavailable'; readonly error: ErrorMessage }
  | { readonly type: 'alive' }
  | { readonly type: 'progress'; readonly id: number; readonly event: ProgressEvent }
  | { readonly type: 'done'; readonly id: number; readonly result: JobResult }
  | { readonly type: 'failed'; readonly id: number; readonly error: ErrorMessage };

/** Codes of failures that lie with the worker, not with the job. */
export type WorkerFailure =
  /** The process died or hung. */
  | 'WORKER_CRASHED'
  /** The process cannot open its device. */
  | 'WORKER_UNAVAILABLE'
  /** The server is stopping. */
  | 'STOPPED'
  /** Too many jobs wait. */
  | 'QUEUE_FULL'
  /** The caller's signal was aborted. */
  | 'ABORTED';

/** A job that failed, with the code of the error that ended it. */
export class JobError extends Error {
  constructor(
    readonly code: WorkerFailure | (string & {}),
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'JobError';
  }
}

/** Failures of the worker or its device, which another try may not meet. */
export const TRANSIENT_FAILURES: readonly string[] = ['WORKER_CRASHED', 'DEVICE_LOST'];

export const stoppedError = (): JobError =>
  new JobError('STOPPED', 'The server is stopping. Try again when it is back.');

/** An error as text; its code is kept where it has one. */
export function describeError(error: unknown): ErrorMessage {
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | null)?.code;
  return { code: typeof code === 'string' ? code : 'INTERNAL_ERROR', message };
}

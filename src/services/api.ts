/**
 * What the API layer may ask for. Resolvers map GraphQL to these calls and nothing else; the implementations own storage
 * and jobs. All ids are opaque text. All times are epoch milliseconds. Lists come in pages after a cursor (`Page`).
 * Errors are `ServiceError` with a code that goes to the client in `extensions.code`.
 */
import type { RunObserver } from '../jobs/observer.js';
import type { Layer, Preprocessing } from '../models/network.js';
import type { Receipt } from '../models/receipt.js';
import type { EvaluationResult, Prediction, ProgressEvent, Split, TrainingOptions } from '../training/types.js';

export type { RunObserver };

export type ServiceErrorCode =
  | 'NOT_FOUND'
  | 'BAD_USER_INPUT'
  | 'CONFLICT'
  | 'UNSUPPORTED_FILE'
  | 'LIMIT_EXCEEDED'
  | 'JOB_FAILED'
  | 'DOWNLOAD_FAILED'
  | 'TIMEOUT'
  | 'WORKER_UNAVAILABLE'
  /** A stored file is not what was stored. */
  | 'STORAGE_DAMAGED';

export class ServiceError extends Error {
  constructor(
    readonly code: ServiceErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'ServiceError';
  }
}

export interface PageRequest {
  readonly first: number;
  readonly after?: string | null;
}
export interface Page<T> {
  readonly items: readonly { readonly cursor: string; readonly node: T }[];
  readonly hasNextPage: boolean;
  readonly totalCount: number;
}

/** Work that waits and runs, and how the worker does. */
export interface LoadRecord {
  readonly queued: number;
  readonly running: number;
  readonly workerRestarts: number;
}

export interface GarbageRecord {
  readonly dryRun: boolean;
  readonly files: number;
  readonly bytes: number;
}

/** A file that a client uploaded or that the server read; kept by content. */
export interface UploadRecord {
  readonly id: string;
  readonly filename: string;
  readonly bytes: number;
  /** SHA-256, hex: the blob's name. */
  readonly hash: string;
  readonly createdAt: number;
}

/** Where a file of the zoo comes from: an address, or a file that comes with Graft or one of its packages. */
export interface ZooSource {
  readonly kind: 'url' | 'npm' | 'file';
  /** The address, `package/path`, or the path in Graft's folder `weights`. */
  readonly location: string;
}
export interface ZooFile {
  readonly name: string;
  readonly bytes: number;
  /** All of its digits, or the first ones where only those are published. */
  readonly sha256: string;
  /** In the order in which they are tried. */
  readonly sources: readonly ZooSource[];
}
export interface ZooEntry {
  readonly id: string;
  readonly name: string;
  readonly architecture: string;
  readonly description: string;
  readonly paper: string | null;
  /** False: the architecture is built in, its weights are random until trained or imported. */
  readonly pretrained: boolean;
  /** The publisher's name for the weights. */
  readonly weights: string | null;
  /** The first place that the weights come from. */
  readonly source: string | null;
  readonly files: readonly ZooFile[];
  readonly license: string | null;
  readonly licenseNote: string | null;
  readonly inputSize: readonly [channels: number, height: number, width: number];
  readonly preprocessing: Preprocessing;
  /** Outputs; null: it ends in features. */
  readonly classCount: number | null;
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Of all files; null without weights. */
  readonly bytes: number | null;
  readonly top1: number | null;
  readonly top5: number | null;
}

/** How fast a network of the zoo predicts on an adapter, pictures of its input's size, decoding aside. */
export interface ZooMeasurement {
  readonly zooId: string;
  readonly adapter: string;
  readonly isSoftware: boolean;
  /** Median for one picture by itself. */
  readonly millisecondsPerPicture: number;
  /** In batches of `batchSize`. */
  readonly picturesPerSecond: number;
  readonly batchSize: number;
  readonly codeVersion: string;
  readonly measuredAt: number;
}
/** One network of a request to measure several; one that fails does not keep the others from it. */
export interface ZooMeasurementOutcome {
  readonly zooId: string;
  readonly measurement: ZooMeasurement | null;
  readonly error: string | null;
}

/** Where a network's files are fetched from. Exactly one. */
export interface NetworkSource {
  readonly url?: string;
  /** Of the file at `url`, 64 hexadecimal digits: it is checked then, and kept in the cache. */
  readonly sha256?: string;
  readonly huggingFace?: { readonly repository: string; readonly revision?: string; readonly file?: string };
  readonly npm?: { readonly package: string; readonly version?: string; readonly path: string };
}

/** What a download of a file, or of several one after another, is doing. */
export interface DownloadRecord {
  readonly operationId: string;
  readonly state: 'RUNNING' | 'SUCCEEDED' | 'FAILED';
  /** The file at hand; null before the first. */
  readonly file: string | null;
  /** Where it comes from; null: it was in the cache. */
  readonly url: string | null;
  readonly receivedBytes: number;
  readonly totalBytes: number | null;
  readonly error: string | null;
}

export interface NetworkRecord {
  readonly id: string;
  readonly name: string;
  readonly headRevisionId: string;
  readonly createdAt: number;
}
export interface RevisionRecord {
  readonly id: string;
  readonly networkId: string;
  readonly parentId: string | null;
  /** What made it, for people: "replaced the head: 5 classes". */
  readonly summary: string;
  readonly architecture: string;
  readonly classes: readonly string[] | null;
  readonly preprocessing: Preprocessing;
  /** SHA-256 of the safetensors blob. */
  readonly weightsHash: string;
  readonly createdAt: number;
}
/** One layer of a revision as `summary` shows it. Shapes without the batch dimension. */
export interface LayerSummary {
  readonly layer: Layer;
  readonly outputShape: readonly number[];
  readonly parameters: number;
  readonly frozen: boolean;
  readonly multiplyAdds: number;
  readonly auxiliaryLossWeight: number | null;
}

export type LayerSelector =
  | { readonly names: readonly string[] }
  /** The layer named and everything that it depends on. */
  | { readonly upTo: string }
  /** `*` and `?` match within a name. */
  | { readonly pattern: string }
  | { readonly all: true };

export interface ReplaceHeadInput {
  /** Either labels, or a data set whose classes are taken. */
  readonly classes?: readonly string[];
  readonly datasetId?: string;
  /** True keeps the layers between the last pooling and the classifier; false drops all after the last pooling. */
  readonly keepLayersAfterPooling?: boolean;
  /** Keeps auxiliary heads, with the new outputs. */
  readonly keepAuxiliaryHeads?: boolean;
  readonly dropout?: number;
  readonly hiddenUnits?: number;
  readonly seed?: number;
}

export interface DatasetRecord {
  readonly id: string;
  readonly name: string;
  readonly classes: readonly string[];
  readonly warnings: readonly DatasetWarning[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly createdAt: number;
}
export interface DatasetWarning {
  readonly code: 'SMALL_CLASS' | 'DUPLICATE' | 'SPLIT_LEAK' | 'EMPTY_SPLIT' | 'SKIPPED_FILES';
  readonly message: string;
  readonly paths: readonly string[];
}
export interface ClassCount {
  readonly datasetId: string;
  readonly label: string;
  readonly index: number;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}
export interface PictureRecord {
  readonly id: string;
  readonly datasetId: string;
  readonly path: string;
  readonly hash: string;
  readonly label: string;
  readonly labelIndex: number;
  readonly split: Split;
  readonly width: number;
  readonly height: number;
}
export interface CreateDatasetInput {
  readonly name: string;
  /** An uploaded zip or tar, or a folder of the server inside GRAFT_IMPORT_ROOT. Exactly one. */
  readonly uploadId?: string;
  readonly folder?: string;
  /** Shares for validation and test where the archive has no train/val/test folders of its own. */
  readonly validationShare?: number;
  readonly testShare?: number;
  readonly seed?: number;
}

export type RunState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export interface RunRecord {
  readonly id: string;
  readonly networkId: string;
  /** The revision that was trained, and what came out (best by validation, and last). */
  readonly revisionId: string;
  readonly datasetId: string;
  readonly bestRevisionId: string | null;
  readonly lastRevisionId: string | null;
  readonly options: TrainingOptions;
  readonly state: RunState;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly adapter: string | null;
  readonly codeVersion: string;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  /** Seconds spent on computing cached features, and on training steps with validation. */
  readonly secondsFeatures: number | null;
  readonly secondsTrain: number | null;
}
/** One event of a run. `sequence` counts from 1 without a gap, is stored, and lets a client resume. */
export interface RunEvent {
  readonly runId: string;
  readonly sequence: number;
  readonly at: number;
  readonly state: RunState;
  readonly progress: ProgressEvent | null;
}
export interface TrainInput {
  readonly networkId: string;
  /** Default: the network's newest revision. */
  readonly revisionId?: string;
  readonly datasetId: string;
  readonly options?: Partial<TrainingOptions>;
}

export interface EvaluationRecord {
  readonly id: string;
  readonly revisionId: string;
  readonly datasetId: string;
  readonly split: Split;
  readonly result: EvaluationResult;
  readonly createdAt: number;
}
export interface PredictInput {
  /** Default revision: the network's newest. */
  readonly networkId: string;
  readonly revisionId?: string;
  readonly uploadIds: readonly string[];
  readonly topK?: number;
}
export interface PicturePrediction {
  readonly uploadId: string;
  readonly filename: string;
  /** Empty with an error where the picture cannot be read. */
  readonly predictions: readonly Prediction[];
  readonly error: string | null;
}
export interface DeviceRecord {
  readonly state: 'STARTING' | 'READY' | 'BUSY' | 'DOWN';
  readonly vendor: string | null;
  readonly architecture: string | null;
  readonly description: string | null;
  readonly isSoftware: boolean | null;
  readonly kernelFamily: string | null;
  readonly features: readonly string[];
  readonly workerRestarts: number;
  readonly error: string | null;
}
export interface ReferenceInput {
  /** Uploads: pictures, or arrays (.npy, .npz, .pb) of what the network reads. */
  readonly inputUploadIds: readonly string[];
  /** Uploads of arrays: one row of outputs for each input, in their order. */
  readonly outputUploadIds: readonly string[];
  /** Of the relative difference; by default 1e-4, and 0.02 for pictures. */
  readonly tolerance?: number;
}
export type ExportFormat = 'SAFETENSORS' | 'ONNX' | 'PYTORCH' | 'TFJS' | 'FOLDER';
export interface ExportOptions {
  /** The ONNX graph ends in probabilities. */
  readonly softmax?: boolean;
  /** The ONNX graph takes pictures of the input's size and does the rest of the preprocessing. */
  readonly pictures?: { readonly type: 'uint8' | 'float32'; readonly layout: 'NHWC' | 'NCHW' };
}
export interface ExportRecord {
  readonly id: string;
  readonly revisionId: string;
  readonly format: ExportFormat;
  readonly options: ExportOptions;
  readonly filename: string;
  readonly bytes: number;
  readonly hash: string;
  /** Null for files that older versions wrote. */
  readonly receipt: Receipt | null;
  readonly createdAt: number;
}

export interface Services {
  // Zoo and networks
  zoo(): readonly ZooEntry[];
  /**
   * With the published weights, downloaded if need be, or with random ones where `pretrained` is false. BAD_USER_INPUT where
   * none are published and `pretrained` is not false.
   * `operationId`: a name that the caller gives to the download, to watch it.
   */
  createNetwork(input: {
    zooId: string;
    name?: string;
    seed?: number;
    pretrained?: boolean;
    /** Side of its square input in pixels, in place of the published one. */
    inputSize?: number;
    /** 1 for grey pictures, in place of 3. */
    inChannels?: number;
    operationId?: string;
  }): Promise<NetworkRecord>;
  /** Of each network, on every adapter that it was measured on, newest first. */
  measurementsOfZoo(zooIds: readonly string[]): Promise<(readonly ZooMeasurement[])[]>;
  /** Measures one network after the other on the worker's adapter, and keeps what was found. */
  measureZooNetworks(input: { zooIds: readonly string[]; seconds?: number }): Promise<readonly ZooMeasurementOutcome[]>;
  /** The state of a download now, and whenever it has changed, until it is over. One that has not begun is waited for. */
  watchDownload(operationId: string): AsyncIterableIterator<DownloadRecord>;
  /** Ends a download; false where none of that name is under way. */
  cancelDownload(operationId: string): boolean;
  /** Any format of docs/formats.md; several uploads are the parts of one model (TF.js: model.json and shards, or a zip of them). */
  importNetwork(input: {
    name: string;
    /** Uploads, or another source; not both. */
    uploadIds?: readonly string[];
    source?: NetworkSource;
    /** See `createNetwork`. */
    operationId?: string;
    preprocessing?: Partial<Preprocessing>;
    classes?: readonly string[];
    /** Of weights alone; by default recognised. */
    architecture?: string;
    /** Inputs and what the network ought to give for them; the receipt says how far it is from that. */
    reference?: ReferenceInput;
  }): Promise<NetworkRecord>;
  networks(page: PageRequest): Promise<Page<NetworkRecord>>;
  networksById(ids: readonly string[]): Promise<(NetworkRecord | null)[]>;
  revisionsById(ids: readonly string[]): Promise<(RevisionRecord | null)[]>;
  revisionsOfNetworks(networkIds: readonly string[], page: PageRequest): Promise<Page<RevisionRecord>[]>;
  /** Of imports; null for revisions that were made in another way. */
  receiptsOfRevisions(revisionIds: readonly string[]): Promise<(Receipt | null)[]>;
  layersOfRevisions(revisionIds: readonly string[]): Promise<(readonly LayerSummary[])[]>;
  replaceHead(networkId: string, input: ReplaceHeadInput): Promise<RevisionRecord>;
  /** The same network with fresh random weights (He et al. 2015) and nothing frozen: the from-scratch baseline. */
  randomizeWeights(networkId: string, seed?: number): Promise<RevisionRecord>;
  freeze(networkId: string, selector: LayerSelector): Promise<RevisionRecord>;
  unfreeze(networkId: string, selector: LayerSelector): Promise<RevisionRecord>;
  setLearningRateFactor(networkId: string, selector: LayerSelector, factor: number): Promise<RevisionRecord>;
  /** A new network whose first revision is `revisionId`'s network and weights. */
  forkNetwork(revisionId: string, name: string): Promise<NetworkRecord>;
  deleteNetwork(id: string): Promise<boolean>;

  // Uploads and blobs
  /** Streams a file into the blob store; throws LIMIT_EXCEEDED past `maxBytes`. */
  saveUpload(filename: string, stream: NodeJS.ReadableStream, maxBytes: number): Promise<UploadRecord>;
  openBlob(hash: string): Promise<{ readonly stream: NodeJS.ReadableStream; readonly bytes: number }>;

  // Data sets
  createDataset(input: CreateDatasetInput): Promise<DatasetRecord>;
  datasets(page: PageRequest): Promise<Page<DatasetRecord>>;
  datasetsById(ids: readonly string[]): Promise<(DatasetRecord | null)[]>;
  classCountsOfDatasets(ids: readonly string[]): Promise<(readonly ClassCount[])[]>;
  picturesOfDatasets(
    ids: readonly string[],
    filter: { readonly split?: Split; readonly label?: string },
    page: PageRequest,
  ): Promise<Page<PictureRecord>[]>;
  deleteDataset(id: string): Promise<boolean>;

  // Runs
  train(input: TrainInput): Promise<RunRecord>;
  cancelRun(id: string): Promise<RunRecord>;
  runs(
    filter: { readonly networkId?: string; readonly datasetId?: string },
    page: PageRequest,
  ): Promise<Page<RunRecord>>;
  runsById(ids: readonly string[]): Promise<(RunRecord | null)[]>;
  /** Stored events after `afterSequence`, oldest first, at most `limit`. */
  runEvents(runId: string, afterSequence: number, limit: number): Promise<readonly RunEvent[]>;
  eventsOfRuns(runIds: readonly string[]): Promise<(readonly RunEvent[])[]>;
  /** Stored events after `afterSequence`, then live ones without gap or repetition, until the run ends. */
  watchRun(runId: string, afterSequence: number): AsyncIterableIterator<RunEvent>;

  // Results
  evaluate(input: {
    networkId: string;
    revisionId?: string;
    datasetId: string;
    split: Split;
  }): Promise<EvaluationRecord>;
  evaluations(
    filter: { readonly revisionIds?: readonly string[]; readonly datasetId?: string },
    page: PageRequest,
  ): Promise<Page<EvaluationRecord>>;
  predict(input: PredictInput): Promise<readonly PicturePrediction[]>;
  /** Made once for each revision, format and options. */
  exportRevision(
    revisionId: string,
    format: ExportFormat,
    options?: ExportOptions & {
      /** Whether another engine runs an ONNX file beside ours. Default true. */
      readonly compare?: boolean;
      /** Pictures for that, beside generated ones. */
      readonly pictureUploadIds?: readonly string[];
    },
  ): Promise<ExportRecord>;
  exportsOfRevisions(revisionIds: readonly string[]): Promise<(readonly ExportRecord[])[]>;
  device(): Promise<DeviceRecord>;
  load(): Promise<LoadRecord>;
  /** Whether requests can be answered: throws where the database or the folder of files is not there. */
  checkReady(): Promise<void>;
  /** Deletes files that no row refers to, or with `dryRun` only counts them. */
  collectGarbage(input: { readonly dryRun: boolean }): Promise<GarbageRecord>;

  /** SQL statements executed since the start; lets a test count those of one query. */
  statementCount(): number;
  close(): Promise<void>;
}

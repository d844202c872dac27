/**
 * The tables as Kysely sees them: camelCase here, snake_case in SQL. Portable between SQLite and PostgreSQL: ids are text,
 * times epoch milliseconds, flags 0 or 1, structured values JSON as text.
 */
export type Split = 'train' | 'validation' | 'test';
export type RunState = 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
export type JobState = 'QUEUED' | 'RUNNING';

export interface UploadRow {
  readonly id: string;
  readonly filename: string;
  readonly bytes: number;
  readonly hash: string;
  readonly createdAt: number;
}
export interface NetworkRow {
  readonly id: string;
  readonly name: string;
  readonly headRevisionId: string;
  readonly createdAt: number;
}
export interface RevisionRow {
  readonly id: string;
  readonly networkId: string;
  readonly parentId: string | null;
  readonly summary: string;
  readonly architecture: string;
  /** JSON: string[] or null. */
  readonly classes: string;
  /** JSON. */
  readonly preprocessing: string;
  /** What `networkToJson` wrote. */
  readonly networkJson: string;
  readonly weightsHash: string;
  readonly createdAt: number;
}
export interface DatasetRow {
  readonly id: string;
  readonly name: string;
  /** JSON: string[]. */
  readonly classes: string;
  readonly warnings: string;
  readonly skipped: string;
  readonly createdAt: number;
}
export interface ClassRow {
  readonly datasetId: string;
  readonly position: number;
  readonly label: string;
  readonly train: number;
  readonly validation: number;
  readonly test: number;
}
export interface PictureRow {
  readonly id: string;
  readonly datasetId: string;
  /** From 0, in the order of the data set. */
  readonly position: number;
  readonly path: string;
  readonly hash: string;
  readonly label: string;
  readonly labelIndex: number;
  readonly split: Split;
  readonly width: number;
  readonly height: number;
}
export interface RunRow {
  readonly id: string;
  readonly networkId: string;
  readonly revisionId: string;
  readonly datasetId: string;
  readonly bestRevisionId: string | null;
  readonly lastRevisionId: string | null;
  readonly options: string;
  readonly state: RunState;
  readonly errorCode: string | null;
  readonly errorMessage: string | null;
  readonly adapter: string | null;
  readonly codeVersion: string;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly secondsFeatures: number | null;
  readonly secondsTrain: number | null;
  /** Sequence of its newest event. */
  readonly lastSequence: number;
}
export interface RunEventRow {
  readonly runId: string;
  readonly sequence: number;
  readonly at: number;
  readonly state: RunState;
  /** Which try of the job the event belongs to, from 1; 0 before the first. */
  readonly attempt: number;
  readonly progress: string | null;
}
export interface EvaluationRow {
  readonly id: string;
  readonly revisionId: string;
  readonly datasetId: string;
  readonly split: Split;
  readonly result: string;
  readonly createdAt: number;
}
export interface ExportRow {
  readonly id: string;
  readonly revisionId: string;
  readonly format: string;
  /** JSON; with the revision and the format it says what the file holds. */
  readonly options: string;
  readonly filename: string;
  readonly bytes: number;
  readonly hash: string;
  /** JSON; null for files that older versions wrote. */
  readonly receipt: string | null;
  readonly createdAt: number;
}
/** Work that is not done yet; a finished job's row is deleted, its run tells the outcome. */
export interface JobRow {
  readonly id: string;
  readonly runId: string;
  readonly state: JobState;
  /** Tries so far. With the owner it fences off a worker that lost its lease. */
  readonly attempts: number;
  readonly leaseOwner: string | null;
  readonly leaseUntil: number | null;
  readonly cancelRequested: number;
  readonly createdAt: number;
}

/** How fast a network of the zoo predicts on an adapter. */
export interface ZooMeasurementRow {
  readonly zooId: string;
  /** Its name as the driver gives it. */
  readonly adapter: string;
  readonly isSoftware: number;
  /** Median for one picture by itself. */
  readonly millisecondsPerPicture: number;
  readonly picturesPerSecond: number;
  readonly batchSize: number;
  readonly codeVersion: string;
  readonly measuredAt: number;
}

export interface Schema {
  uploads: UploadRow;
  networks: NetworkRow;
  /** With the receipt, JSON, of how it came in; null where it was not imported. Only what asks for it reads it. */
  revisions: RevisionRow & { readonly receipt: string | null };
  datasets: DatasetRow;
  classes: ClassRow;
  pictures: PictureRow;
  runs: RunRow;
  runEvents: RunEventRow;
  evaluations: EvaluationRow;
  exports: ExportRow;
  jobs: JobRow;
  zooMeasurements: ZooMeasurementRow;
}

export type TrainingErrorCode =
  | 'INVALID_NETWORK'
  | 'INVALID_OPTIONS'
  | 'NOTHING_TO_TRAIN'
  | 'EMPTY_SPLIT'
  | 'DIVERGED'
  | 'MEMORY_LIMIT'
  /** A checkpoint is not one of this run. */
  | 'CHECKPOINT_MISMATCH';

/** A run that cannot start or go on, with a code that a client can match on. */
export class TrainingError extends Error {
  constructor(
    readonly code: TrainingErrorCode,
    message: string,
  ) {
    super(message);
    this.name = 'TrainingError';
  }
}

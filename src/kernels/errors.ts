/** What went wrong in the engine, as a code that a caller can match on. */
export type EngineErrorCode =
  | 'NO_ADAPTER'
  | 'DEVICE_LOST'
  | 'OUT_OF_MEMORY'
  | 'PIPELINE_FAILED'
  | 'LIMIT_EXCEEDED'
  | 'INVALID_SHAPE'
  | 'INVALID_ARGUMENT';

/** Every error that the engine throws on purpose. It ends or retries a run, never the process. */
export class EngineError extends Error {
  constructor(
    readonly code: EngineErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'EngineError';
  }
}

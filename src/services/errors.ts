import { DatasetError, type DatasetErrorCode } from '../datasets/errors.js';
import { DownloadError, type DownloadErrorCode } from '../downloads/errors.js';
import { UnknownRunError } from '../jobs/events.js';
import { JobError } from '../jobs/protocol.js';
import { ModelError, type ModelErrorCode } from '../models/errors.js';
import { StoreError, type StoreErrorCode } from '../store/errors.js';
import { TrainingError } from '../training/errors.js';
import { ServiceError, type ServiceErrorCode } from './api.js';

const MODEL_CODES: Readonly<Record<ModelErrorCode, ServiceErrorCode>> = {
  INVALID_NETWORK: 'BAD_USER_INPUT',
  INVALID_ARGUMENT: 'BAD_USER_INPUT',
  UNKNOWN_LAYER: 'BAD_USER_INPUT',
  INVALID_WEIGHTS: 'UNSUPPORTED_FILE',
  INVALID_FILE: 'UNSUPPORTED_FILE',
  UNSUPPORTED: 'UNSUPPORTED_FILE',
  UNKNOWN_FORMAT: 'UNSUPPORTED_FILE',
};

const DATASET_CODES: Readonly<Record<DatasetErrorCode, ServiceErrorCode>> = {
  UNSUPPORTED_ARCHIVE: 'UNSUPPORTED_FILE',
  DAMAGED_ARCHIVE: 'UNSUPPORTED_FILE',
  LIMIT_EXCEEDED: 'LIMIT_EXCEEDED',
  NO_PICTURES: 'BAD_USER_INPUT',
  INVALID_OPTIONS: 'BAD_USER_INPUT',
  UNREADABLE_FILE: 'UNSUPPORTED_FILE',
  UNREADABLE_PICTURE: 'UNSUPPORTED_FILE',
};

const DOWNLOAD_CODES: Readonly<Record<DownloadErrorCode, ServiceErrorCode>> = {
  INVALID_URL: 'BAD_USER_INPUT',
  FORBIDDEN_ADDRESS: 'BAD_USER_INPUT',
  UNREACHABLE: 'DOWNLOAD_FAILED',
  NOT_FOUND: 'DOWNLOAD_FAILED',
  REFUSED: 'DOWNLOAD_FAILED',
  TOO_MANY_REDIRECTS: 'DOWNLOAD_FAILED',
  TOO_LARGE: 'LIMIT_EXCEEDED',
  DAMAGED: 'DOWNLOAD_FAILED',
  STORAGE: 'DOWNLOAD_FAILED',
  QUEUE_FULL: 'LIMIT_EXCEEDED',
  CANCELLED: 'DOWNLOAD_FAILED',
};

const STORE_CODES: Readonly<Partial<Record<StoreErrorCode, ServiceErrorCode>>> = {
  INVALID_PAGE: 'BAD_USER_INPUT',
  BLOB_NOT_FOUND: 'NOT_FOUND',
  BLOB_TOO_LARGE: 'LIMIT_EXCEEDED',
  BLOB_DAMAGED: 'STORAGE_DAMAGED',
};

/** Codes of failed jobs that say more than that the job failed. */
const JOB_CODES: Readonly<Record<string, ServiceErrorCode>> = {
  WORKER_CRASHED: 'WORKER_UNAVAILABLE',
  WORKER_UNAVAILABLE: 'WORKER_UNAVAILABLE',
  STOPPED: 'WORKER_UNAVAILABLE',
  NO_ADAPTER: 'WORKER_UNAVAILABLE',
  QUEUE_FULL: 'LIMIT_EXCEEDED',
  EMPTY_SPLIT: 'BAD_USER_INPUT',
  INVALID_NETWORK: 'BAD_USER_INPUT',
  INVALID_OPTIONS: 'BAD_USER_INPUT',
};

/** The ServiceError that a client may see; an error that nobody expected stays what it is. */
export function toServiceError(error: unknown): unknown {
  if (error instanceof ModelError) return new ServiceError(MODEL_CODES[error.code], error.message, { cause: error });
  if (error instanceof DatasetError)
    return new ServiceError(DATASET_CODES[error.code], error.message, { cause: error });
  if (error instanceof DownloadError)
    return new ServiceError(DOWNLOAD_CODES[error.code], error.message, { cause: error });
  if (error instanceof TrainingError) return new ServiceError('BAD_USER_INPUT', error.message, { cause: error });
  if (error instanceof UnknownRunError) return new ServiceError('NOT_FOUND', error.message, { cause: error });
  if (error instanceof JobError) {
    const code = JOB_CODES[error.code];
    const message = code ? error.message : `The job failed with ${error.code}: ${error.message}`;
    return new ServiceError(code ?? 'JOB_FAILED', message, { cause: error });
  }
  if (error instanceof StoreError) {
    const code = STORE_CODES[error.code];
    return code ? new ServiceError(code, error.message, { cause: error }) : error;
  }
  return error;
}

type Method = (...parameters: never[]) => unknown;

/** The same methods, whose promises reject with ServiceErrors where there is one for what went wrong. */
export function withServiceErrors<T extends object>(methods: T): T {
  const wrap =
    (method: Method) =>
    (...parameters: never[]): unknown => {
      const result = method(...parameters);
      if (!(result instanceof Promise)) return result;
      return result.catch((error: unknown) => {
        throw toServiceError(error);
      });
    };
  return Object.fromEntries(Object.entries(methods).map(([name, method]) => [name, wrap(method as Method)])) as T;
}

export type DownloadErrorCode =
  /** Not an http or https address, or one with a password in it. */
  | 'INVALID_URL'
  /** An address inside this machine or its network, which clients may not name. */
  | 'FORBIDDEN_ADDRESS'
  /** No connection, or one that broke or fell silent too often. */
  | 'UNREACHABLE'
  /** The server has no such file. */
  | 'NOT_FOUND'
  /** The server refuses, or fails again and again. */
  | 'REFUSED'
  | 'TOO_MANY_REDIRECTS'
  | 'TOO_LARGE'
  /** Not the file that was asked for: another length or another hash. */
  | 'DAMAGED'
  /** The cache folder cannot be written. */
  | 'STORAGE'
  | 'QUEUE_FULL'
  | 'CANCELLED';

/** A download that failed. The message names the address and what to do. */
export class DownloadError extends Error {
  constructor(
    readonly code: DownloadErrorCode,
    message: string,
    options: ErrorOptions & {
      /** Another try may go better. */
      readonly isTransient?: boolean;
      /** What the server asks to wait before that. */
      readonly retryAfterMs?: number;
    } = {},
  ) {
    super(message, options);
    this.name = 'DownloadError';
    this.isTransient = options.isTransient ?? false;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }

  readonly isTransient: boolean;
  readonly retryAfterMs: number;
}

/** Does something to the cache folder. Throws STORAGE where the file system will not have it. */
export async function stored<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    const advice = 'GRAFT_DOWNLOAD_DIR names another folder';
    throw new DownloadError(
      'STORAGE',
      `The cache of downloads cannot be used: ${(error as Error).message}. ${advice}.`,
      {
        cause: error,
      },
    );
  }
}

export type StoreErrorCode =
  /** Another version of Graft made this database, or the file is none. */
  | 'INVALID_DATABASE'
  | 'INVALID_PAGE'
  | 'BLOB_NOT_FOUND'
  | 'BLOB_TOO_LARGE'
  /** What lies on the disk is not what was stored. */
  | 'BLOB_DAMAGED';

/** What storage refuses on purpose. */
export class StoreError extends Error {
  constructor(
    readonly code: StoreErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'StoreError';
  }
}

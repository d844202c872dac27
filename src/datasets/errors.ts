export type DatasetErrorCode =
  /** Not a kind of archive that is read here. */
  | 'UNSUPPORTED_ARCHIVE'
  /** It ends early or contradicts itself. */
  | 'DAMAGED_ARCHIVE'
  /** Too many files, too many bytes, or compressed suspiciously well. */
  | 'LIMIT_EXCEEDED'
  /** No picture in any class folder. */
  | 'NO_PICTURES'
  | 'INVALID_OPTIONS'
  /** One file of an archive or folder that cannot be read; the others can. */
  | 'UNREADABLE_FILE'
  /** One picture that cannot be decoded. */
  | 'UNREADABLE_PICTURE';

/** What is wrong with an archive, a picture or a wish, for people; `code` for programs. */
export class DatasetError extends Error {
  constructor(
    readonly code: DatasetErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.name = 'DatasetError';
  }
}

import { ModelError } from '../../errors.js';

/** What an archive may hold. */
export interface ZipLimits {
  readonly maxEntries: number;
  /** Unpacked bytes of all entries together. */
  readonly maxBytes: number;
  /** Unpacked over packed bytes of an entry of more than a mebibyte. DEFLATE itself reaches 1032; weights hardly 10. */
  readonly maxRatio: number;
  /** Unpacked bytes of all entries over the archive's, beyond `FREE_BYTES`: weights are stored, or shrink by a half. */
  readonly maxTotalRatio: number;
}

export const ZIP_LIMITS: ZipLimits = { maxEntries: 65_536, maxBytes: 2 ** 34, maxRatio: 100, maxTotalRatio: 10 };

/** All entries together may have this much, however small the archive is. */
export const FREE_BYTES = 2 ** 26;

/** Entries up to this size may shrink as they like: a file of zeros is not yet an attack. */
export const SMALL_ENTRY_BYTES = 2 ** 20;

export function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `zip: ${message}`);
}

export function refuse(message: string): never {
  throw new ModelError('UNSUPPORTED', `zip: ${message}`);
}

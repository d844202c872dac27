/**
 * Keeps computed features beyond a run. Training says under which key; where and how they lie is the store's affair. A store may
 * lose records at any time, never give wrong ones.
 */
export interface FeatureStore {
  /**
   * The records that were kept under `key` (64 hexadecimal digits: all that a feature depends on besides the picture), each of
   * `recordBytes`. Null where nothing can be kept.
   */
  open(key: string, recordBytes: number): Promise<FeatureRecords | null>;
}

export interface FeatureRecords {
  /** Whether a record is there. It may still turn out damaged on reading. */
  has(hash: string): boolean;
  /**
   * Reads ahead and calls `visit` with each record that is there and whole, in the order in which they lie. The bytes are good
   * until `visit` returns. Pictures whose records are missing or damaged are left out, and `has` says so from then on.
   */
  read(hashes: readonly string[], visit: (hash: string, record: Uint8Array) => void): Promise<void>;
  /** Keeps the records of `hashes`, which lie in `records` one after the other, as far as there is room. */
  append(hashes: readonly string[], records: Uint8Array): Promise<void>;
  close(): Promise<void>;
}

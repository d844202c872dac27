import type { ArchiveEntries } from './entries.js';

export interface IngestOptions {
  /**
   * Share of each class's pictures for validation, 0 to 0.9, where the archive has no folder for it. Default: 0.15 for class
   * folders; 0 where the archive has split folders of its own. With `testShare` at most 0.9.
   */
  readonly validationShare?: number;
  /** Likewise for the test. */
  readonly testShare?: number;
  /** Of the split. Default 1. */
  readonly seed?: number;
  /** Throws LIMIT_EXCEEDED past this. */
  readonly maxPictures?: number;
  readonly signal?: AbortSignal;
}

/** A picture that can be decoded. */
export interface AcceptedPicture {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** SHA-256 of the bytes, hex. */
  readonly hash: string;
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
}

/** Stores a picture's bytes; called once for each content. Labels and splits are known at the end only, see the result. */
export type PictureSink = (picture: AcceptedPicture) => Promise<void>;

export interface IngestedPicture {
  readonly path: string;
  readonly hash: string;
  readonly labelIndex: number;
  readonly split: 'train' | 'validation' | 'test';
  readonly width: number;
  readonly height: number;
}

/** As DatasetWarning in src/services/api.ts. */
export interface IngestWarning {
  readonly code: 'SMALL_CLASS' | 'DUPLICATE' | 'SPLIT_LEAK' | 'EMPTY_SPLIT' | 'SKIPPED_FILES';
  readonly message: string;
  readonly paths: readonly string[];
}

export interface IngestResult {
  /** Sorted. */
  readonly classes: readonly string[];
  /** Sorted by path. */
  readonly pictures: readonly IngestedPicture[];
  readonly skipped: readonly { readonly path: string; readonly reason: string }[];
  readonly warnings: readonly IngestWarning[];
}

export declare function ingest(
  source: ArchiveEntries,
  options: IngestOptions,
  sink: PictureSink,
): Promise<IngestResult>;

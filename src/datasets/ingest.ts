import { createHash } from 'node:crypto';
import { inspectPicture, type PictureSize } from './decode.js';
import type { ArchiveEntries, ArchiveFile } from './entries.js';
import { DatasetError } from './errors.js';
import { placePictures, type SplitName } from './layout.js';
import { assignSplits, checkShares } from './split.js';
import { findWarnings } from './warnings.js';

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

/** Stores a picture's bytes; called once for each content. Labels and splits are known at the end only, see the result. */
export type PictureSink = (bytes: Uint8Array) => Promise<unknown>;

export interface IngestedPicture {
  readonly path: string;
  /** SHA-256 of the bytes, hex. */
  readonly hash: string;
  readonly labelIndex: number;
  readonly split: SplitName;
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
}

export interface SkippedFile {
  readonly path: string;
  readonly reason: string;
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
  readonly skipped: readonly SkippedFile[];
  readonly warnings: readonly IngestWarning[];
}

/** Pictures that are decoded at a time: libvips works in threads of its own while the next file is read. */
const IN_FLIGHT = 4;

const byPath = (a: { readonly path: string }, b: { readonly path: string }): number => (a.path < b.path ? -1 : 1);

/**
 * Reads every picture of an archive or folder once, decodes it whole, hands its bytes to `sink`, and says what is where. A file
 * that is no picture, or a broken one, is skipped and listed. Throws `DatasetError`: what `source` throws, NO_PICTURES,
 * INVALID_OPTIONS; and the signal's reason.
 */
export async function ingest(source: ArchiveEntries, options: IngestOptions, sink: PictureSink): Promise<IngestResult> {
  // Wrong shares show before the long work; whether the defaults fit shows when the folders are known.
  checkShares(options, true);
  const { pictures: accepted, skipped } = await acceptPictures(source, options, sink);
  const places = placePictures(accepted.map(({ path }) => path));
  const placed = accepted.flatMap((picture) => {
    const place = places.get(picture.path) as NonNullable<ReturnType<typeof places.get>>;
    if ('misplaced' in place) {
      skipped.push({ path: picture.path, reason: place.misplaced });
      return [];
    }
    return [{ ...picture, ...place }];
  });
  if (placed.length === 0) {
    const first = skipped[0]
      ? ` The first of ${skipped.length} skipped files is ${skipped[0].path}: ${skipped[0].reason}.`
      : '';
    throw new DatasetError(
      'NO_PICTURES',
      `There is no picture in a class folder. Put the pictures of each class into a folder of its own.${first}`,
    );
  }
  const hasSplitFolders = placed.some(({ split }) => split !== null);
  const shares = checkShares(options, hasSplitFolders);
  const classes = [...new Set(placed.map(({ label }) => label))].sort();
  const index = new Map(classes.map((label, position) => [label, position]));
  const pictures = assignSplits(placed, shares, options.seed ?? 1)
    .map(
      ({ path, hash, label, split, width, height }): IngestedPicture => ({
        path,
        hash,
        labelIndex: index.get(label) as number,
        split,
        width,
        height,
      }),
    )
    .sort(byPath);
  skipped.sort(byPath);
  return { classes, pictures, skipped, warnings: findWarnings(classes, pictures, skipped) };
}

interface Accepted extends PictureSize {
  readonly path: string;
  readonly hash: string;
}

async function acceptPictures(source: ArchiveEntries, { signal, maxPictures }: IngestOptions, sink: PictureSink) {
  const pictures: Accepted[] = [];
  const skipped: SkippedFile[] = [];
  /** Each content is decoded and stored once, however often it is there. */
  const known = new Map<string, Promise<PictureSize>>();
  const pending = new Set<Promise<void>>();
  const failures: unknown[] = [];
  const seen = new Set<string>();
  const accept = async (path: string, bytes: Uint8Array) => {
    const hash = createHash('sha256').update(bytes).digest('hex');
    let size = known.get(hash);
    if (!size) {
      size = inspectPicture(bytes).then(async (found) => {
        await sink(bytes);
        return found;
      });
      known.set(hash, size);
    }
    try {
      pictures.push({ path, hash, ...(await size) });
      if (maxPictures !== undefined && pictures.length > maxPictures) {
        throw new DatasetError('LIMIT_EXCEEDED', `A data set may have ${maxPictures} pictures; this one has more.`);
      }
    } catch (error) {
      if (!(error instanceof DatasetError) || error.code !== 'UNREADABLE_PICTURE') throw error;
      skipped.push({ path, reason: error.message });
    }
  };
  for await (const entry of source) {
    signal?.throwIfAborted();
    if (failures.length > 0) break;
    if ('refused' in entry) skipped.push({ path: entry.path, reason: entry.refused });
    else if (seen.has(entry.path))
      skipped.push({ path: entry.path, reason: 'the archive has another file of that name' });
    else {
      seen.add(entry.path);
      const bytes = await readOrSkip(entry, skipped);
      if (!bytes) continue;
      const work: Promise<void> = accept(entry.path, bytes)
        .catch((error: unknown) => void failures.push(error))
        .finally(() => pending.delete(work));
      pending.add(work);
      if (pending.size >= IN_FLIGHT) await Promise.race(pending);
    }
  }
  await Promise.all(pending);
  if (failures.length > 0) throw failures[0];
  return { pictures, skipped };
}

async function readOrSkip(file: ArchiveFile, skipped: SkippedFile[]): Promise<Uint8Array | null> {
  try {
    return await file.read();
  } catch (error) {
    if (!(error instanceof DatasetError) || error.code !== 'UNREADABLE_FILE') throw error;
    skipped.push({ path: file.path, reason: error.message });
    return null;
  }
}

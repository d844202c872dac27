import { DatasetError } from './errors.js';

/** A file of an archive or folder. Its path is for people and for labels; nothing is ever written under it. */
export interface ArchiveFile {
  /** Relative, parts separated by `/`, NFC, without `.`, `..`, empty parts and control characters. */
  readonly path: string;
  /**
   * The content; call it before asking for the next entry. Throws `DatasetError`: UNREADABLE_FILE concerns this file only;
   * after DAMAGED_ARCHIVE and LIMIT_EXCEEDED nothing more can be read.
   */
  read(): Promise<Uint8Array>;
}

/** Something that is not read, with the reason: a link, a path that leads out, a file that is too large. */
export interface RefusedEntry {
  readonly path: string;
  readonly refused: string;
}

/** The entries in the order of the archive, one at a time. Folders, dotfiles and `__MACOSX` are left out. */
export type ArchiveEntries = AsyncIterable<ArchiveFile | RefusedEntry>;

export interface ArchiveLimits {
  /** Entries of the archive, of whatever kind. */
  readonly maxEntries: number;
  /** Bytes of one unpacked file; larger ones are refused, each by itself. */
  readonly maxFileBytes: number;
  /** Bytes of all unpacked files together. */
  readonly maxTotalBytes: number;
  /** Unpacked bytes for each packed one, beyond the first 64 MiB. Pictures are compressed already, so honest archives have 1. */
  readonly maxCompressionRatio: number;
}

export const DEFAULT_ARCHIVE_LIMITS: ArchiveLimits = {
  maxEntries: 1_000_000,
  maxFileBytes: 64 * 2 ** 20,
  maxTotalBytes: 64 * 2 ** 30,
  maxCompressionRatio: 100,
};

/** Small archives may compress as well as they like. */
const FREE_BYTES = 64 * 2 ** 20;

/** Counts what comes out of one archive and throws LIMIT_EXCEEDED at the first entry or byte too many. */
export class ArchiveMeter {
  private entries = 0;
  private bytes = 0;

  /** `packedBytes`: size of the archive file; Infinity where nothing is compressed. */
  constructor(
    readonly limits: ArchiveLimits,
    private readonly packedBytes: number,
  ) {}

  countEntry(): void {
    const { maxEntries } = this.limits;
    if (++this.entries > maxEntries) {
      throw new DatasetError('LIMIT_EXCEEDED', `The archive has more than the ${maxEntries} entries that are allowed.`);
    }
  }

  countBytes(bytes: number): void {
    const { maxTotalBytes, maxCompressionRatio } = this.limits;
    this.bytes += bytes;
    if (this.bytes > maxTotalBytes) {
      throw new DatasetError('LIMIT_EXCEEDED', `The archive has more than ${maxTotalBytes} bytes when unpacked.`);
    }
    if (this.bytes > FREE_BYTES && this.bytes > this.packedBytes * maxCompressionRatio) {
      throw new DatasetError(
        'LIMIT_EXCEEDED',
        `The archive unpacks to more than ${maxCompressionRatio} times its size, which pictures never do.`,
      );
    }
  }
}

/** Collects a file's chunks; throws LIMIT_EXCEEDED past the limits, whatever the archive said about sizes. */
export async function readChunks(
  chunks: AsyncIterable<Uint8Array>,
  path: string,
  count: (bytes: number) => void,
  maxBytes: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    bytes += chunk.byteLength;
    count(chunk.byteLength);
    if (bytes > maxBytes) throw new DatasetError('LIMIT_EXCEEDED', `${path} has more than ${maxBytes} bytes.`);
    parts.push(chunk);
  }
  return parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts, bytes);
}

const MAX_PATH = 1024;

/**
 * The path of an entry as this module promises it, or why it is refused. Windows' separators count as separators
 * everywhere, so that no reader of the stored path can be led astray by them.
 */
export function cleanPath(name: string): { readonly path: string; readonly refused: string | null } {
  const text = name.normalize('NFC').replaceAll('\\', '/');
  const shown = text.replace(/\p{Cc}/gu, '\ufffd').slice(0, MAX_PATH) || '(no name)';
  const refuse = (refused: string) => ({ path: shown, refused });
  if (/\p{Cc}/u.test(text)) return refuse('its name has control characters');
  if (text.startsWith('/') || /^[a-z]:/i.test(text)) return refuse('its path is absolute');
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) return refuse('its path leads out of the archive');
  if (parts.length === 0) return refuse('it has no name');
  if (text.length > MAX_PATH) return refuse(`its path has more than ${MAX_PATH} characters`);
  return { path: parts.join('/'), refused: null };
}

/** What file managers and version control leave behind; nobody wants to hear of it. */
export function isHidden(path: string): boolean {
  return path
    .split('/')
    .some((part) => /^\.[^.]/.test(part) || part === '__MACOSX' || /^(thumbs\.db|desktop\.ini)$/i.test(part));
}

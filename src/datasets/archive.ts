import { type FileHandle, open, stat } from 'node:fs/promises';
import { type ArchiveEntries, type ArchiveLimits, ArchiveMeter, DEFAULT_ARCHIVE_LIMITS } from './entries.js';
import { DatasetError } from './errors.js';
import { folderEntries } from './folder.js';
import { tarEntries } from './tar.js';
import { zipEntries } from './zip.js';

const TAR_BLOCK = 512;

/**
 * The entries of a zip, tar or gzipped tar archive, or of a folder. Archives are told by their content: names lie. The file is
 * opened when the iteration begins and closed when it ends, however it ends. The iteration throws `DatasetError`:
 * UNSUPPORTED_ARCHIVE, DAMAGED_ARCHIVE, LIMIT_EXCEEDED.
 */
export async function* openArchive(path: string, limits: Partial<ArchiveLimits> = {}): ArchiveEntries {
  const all: ArchiveLimits = { ...DEFAULT_ARCHIVE_LIMITS, ...limits };
  const status = await stat(path);
  if (status.isDirectory()) {
    yield* folderEntries(path, new ArchiveMeter(all, Number.POSITIVE_INFINITY));
    return;
  }
  const file = await open(path, 'r');
  try {
    const head = await readHead(file);
    const kind = archiveKind(head);
    const meter = new ArchiveMeter(all, kind === 'tar' ? Number.POSITIVE_INFINITY : status.size);
    if (kind === 'zip') yield* zipEntries(file, status.size, meter);
    else yield* tarEntries(file.createReadStream({ start: 0, autoClose: false }), kind === 'gzip', meter);
  } finally {
    await file.close();
  }
}

async function readHead(file: FileHandle): Promise<Buffer> {
  const head = Buffer.alloc(TAR_BLOCK);
  const { bytesRead } = await file.read(head, 0, TAR_BLOCK, 0);
  return head.subarray(0, bytesRead);
}

/** First bytes of what people send by mistake, so that the message can name it. */
const OTHER_KINDS: readonly (readonly [magic: string, name: string])[] = [
  ['Rar!\x1a\x07', 'a rar archive'],
  ['7z\xbc\xaf\x27\x1c', 'a 7-Zip archive'],
  ['BZh', 'bzip2 data'],
  ['\xfd7zXZ\x00', 'xz data'],
  ['\x28\xb5\x2f\xfd', 'Zstandard data'],
  ['\x89PNG', 'a PNG picture'],
  ['\xff\xd8\xff', 'a JPEG picture'],
  ['%PDF', 'a PDF document'],
];

function archiveKind(head: Buffer): 'zip' | 'tar' | 'gzip' {
  const text = head.toString('latin1');
  if (text.startsWith('PK\x03\x04') || text.startsWith('PK\x05\x06')) return 'zip';
  if (text.startsWith('\x1f\x8b')) return 'gzip';
  if (isTarHeader(head)) return 'tar';
  const other = OTHER_KINDS.find(([magic]) => text.startsWith(magic))?.[1] ?? 'no archive that is known here';
  throw new DatasetError(
    'UNSUPPORTED_ARCHIVE',
    `The file is ${other}. Send a zip, a tar or a tar.gz archive of class folders.`,
  );
}

/** By the checksum of the header (POSIX.1-2017, pax, "ustar Interchange Format"): tar files from before 1988 have no magic. */
function isTarHeader(head: Buffer): boolean {
  if (head.length < TAR_BLOCK) return false;
  const stated = Number.parseInt(head.toString('latin1', 148, 156).replace(/[\0 ]+$/, ''), 8);
  let sum = 8 * 0x20;
  head.forEach((byte, index) => {
    if (index < 148 || index >= 156) sum += byte;
  });
  return sum === stated;
}

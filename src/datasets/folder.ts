import { constants } from 'node:fs';
import { type FileHandle, open, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArchiveEntries, type ArchiveMeter, cleanPath, isHidden } from './entries.js';
import { DatasetError } from './errors.js';

/** Deeper folders are refused. */
const MAX_DEPTH = 32;

/** The files below a folder. Links are refused and never followed, so that nothing outside of the folder is read. */
export async function* folderEntries(root: string, meter: ArchiveMeter): ArchiveEntries {
  yield* walk(root, '', 0, meter);
}

async function* walk(folder: string, prefix: string, depth: number, meter: ArchiveMeter): ArchiveEntries {
  for await (const item of await opendir(folder)) {
    meter.countEntry();
    const { path, refused } = cleanPath(`${prefix}${item.name}`);
    if (isHidden(path)) continue;
    const absolute = join(folder, item.name);
    if (refused) yield { path, refused };
    else if (item.isDirectory()) {
      if (depth === MAX_DEPTH) yield { path, refused: `folders are nested more than ${MAX_DEPTH} deep` };
      else yield* walk(absolute, `${path}/`, depth + 1, meter);
    } else if (item.isFile()) yield { path, read: () => readFile(absolute, path, meter) };
    else yield { path, refused: 'it is a link or a special file' };
  }
}

async function readFile(absolute: string, path: string, meter: ArchiveMeter): Promise<Uint8Array> {
  let file: FileHandle | null = null;
  try {
    // Somebody may have put a link or a pipe there since the folder was listed. Windows has neither flag.
    file = await open(absolute, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const status = await file.stat();
    if (!status.isFile()) throw new Error('it is no longer a file');
    const { maxFileBytes } = meter.limits;
    if (status.size > maxFileBytes) throw new Error(`it has ${status.size} bytes; at most ${maxFileBytes} are allowed`);
    meter.countBytes(status.size);
    return await file.readFile();
  } catch (error) {
    if (error instanceof DatasetError) throw error;
    throw new DatasetError('UNREADABLE_FILE', `${path} cannot be read: ${(error as Error).message}`, { cause: error });
  } finally {
    await file?.close();
  }
}

import { randomUUID } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DownloadError, stored } from './errors.js';

/** A lock that its holder has not touched for this long is of a process that died. */
const STALE_MS = 30_000;
const TOUCH_MS = 5_000;
const POLL_MS = 250;

/** Removes the lock of a dead process. Two that find the same lock dead cannot both win: the second rename finds nothing. */
async function breakStale(path: string, staleMs: number): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (!found || Date.now() - found.mtimeMs < staleMs) return;
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch {
    return;
  }
  // Somebody may have been quicker between the look and the rename: then it is theirs, and goes back.
  const moved = await stat(aside).catch(() => null);
  if (moved && Date.now() - moved.mtimeMs < staleMs) await rename(aside, path).catch(() => undefined);
  await rm(aside, { force: true });
}

/**
 * Runs `work` while this process, of all that share the folder, holds the lock file; waits for it until the signal is aborted.
 * `work` gets a function that throws where the lock was lost, to be called before anything final.
 */
export async function withLock<T>(
  path: string,
  signal: AbortSignal,
  work: (assertHeld: () => Promise<void>) => Promise<T>,
  staleMs = STALE_MS,
): Promise<T> {
  const token = randomUUID();
  for (;;) {
    if (signal.aborted) throw new DownloadError('CANCELLED', 'The download was cancelled.');
    try {
      const file = await open(path, 'wx');
      await file.writeFile(token);
      await file.close();
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') await stored(Promise.reject(error));
    }
    await breakStale(path, staleMs);
    await sleep(POLL_MS, undefined, { signal }).catch(() => undefined);
  }
  const isHeld = async () => (await readFile(path, 'utf8').catch(() => null)) === token;
  const touch = setInterval(() => void utimes(path, new Date(), new Date()).catch(() => undefined), TOUCH_MS);
  touch.unref();
  try {
    return await work(async () => {
      if (await isHeld()) return;
      throw new DownloadError('UNREACHABLE', 'Another process took this download over.', { isTransient: true });
    });
  } finally {
    clearInterval(touch);
    if (await isHeld()) await rm(path, { force: true });
  }
}

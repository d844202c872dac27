import type { IncomingHttpHeaders } from 'node:http';
import { type FileHandle, open, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { DownloadError, stored } from './errors.js';
import {
  discard,
  type HttpClient,
  type HttpRequest,
  type HttpResponse,
  shortUrl,
  statusError,
  toDownloadError,
  watched,
} from './httpClient.js';

export interface Transfer extends HttpRequest {
  /** Path of the unfinished file; what lies there is resumed. Notes on it lie beside it, with `.json` at the end. */
  readonly part: string;
  /** The same hash is checked in the end, so that bytes of another address or time may be gone on from. */
  readonly isVerified: boolean;
  readonly size: ExpectedSize | null;
  readonly maxBytes: number;
  readonly onProgress?: ((received: number, total: number | null) => void) | undefined;
}

export interface ExpectedSize {
  readonly bytes: number;
  readonly tolerance: number;
}

export interface RetrySettings {
  readonly stallMs: number;
  /** Pause after the first failure; it doubles with each that follows without progress. */
  readonly backoffMs: number;
}

/** Failures in a row, without a byte between them, that end a transfer. */
const MAX_FAILURES = 5;
/** A server that cuts the line again and again is given up, however far it got. */
const MAX_TRIES = 50;
const MAX_BACKOFF_MS = 30_000;

/** What is known of the unfinished file. */
interface Notes {
  readonly url: string;
  /** A strong entity tag or a date: the file is still the same while the server says the same. */
  readonly validator: string | null;
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

async function readNotes(part: string): Promise<Notes | null> {
  try {
    const { url, validator } = JSON.parse(await readFile(`${part}.json`, 'utf8')) as Partial<Notes>;
    return typeof url === 'string' ? { url, validator: typeof validator === 'string' ? validator : null } : null;
  } catch {
    return null;
  }
}

function validatorOf({ etag, 'last-modified': date }: IncomingHttpHeaders): string | null {
  return typeof etag === 'string' && etag.startsWith('"') ? etag : (date ?? null);
}

/** Removes an unfinished file with its notes. */
export async function discardPart(part: string): Promise<void> {
  await Promise.all([rm(part, { force: true }), rm(`${part}.json`, { force: true })]);
}

function damaged(url: string, message: string): DownloadError {
  return new DownloadError('DAMAGED', `${shortUrl(url)} is not the file that was expected: ${message}.`);
}

/** Throws where the whole file cannot be what is wanted, going by the length that the server says it has. */
function checkTotal({ url, size, maxBytes }: Transfer, total: number): void {
  if (size && Math.abs(total - size.bytes) > size.tolerance) {
    throw damaged(url, `the server says that it has ${total} bytes, and it has ${size.bytes}`);
  }
  if (total > maxBytes) throw tooLarge(url, maxBytes);
}

function tooLarge(url: string, maxBytes: number): DownloadError {
  return new DownloadError(
    'TOO_LARGE',
    `${shortUrl(url)} has more than ${maxBytes} bytes. GRAFT_MAX_DOWNLOAD_MB sets the limit.`,
  );
}

/** Headers that ask for the rest of what is there; none where it cannot be gone on from. */
function rangeHeaders({ url, isVerified }: Transfer, offset: number, notes: Notes | null): Record<string, string> {
  if (offset === 0) return {};
  const validator = notes?.url === url ? notes.validator : null;
  if (validator !== null) return { range: `bytes=${offset}-`, 'if-range': validator };
  return isVerified ? { range: `bytes=${offset}-` } : {};
}

const CONTENT_RANGE = /^bytes (\d+)-(\d+)\/(\d+|\*)$/;

/** Where the body belongs in the file, and the file's whole length if the server says it. */
function placeOf({ status, headers }: HttpResponse, offset: number): { offset: number; total: number | null } | null {
  if (status === 206) {
    const [, first, , total] = CONTENT_RANGE.exec(headers['content-range'] ?? '') ?? [];
    if (Number(first) !== offset) return null;
    return { offset, total: total === undefined || total === '*' ? null : Number(total) };
  }
  const length = headers['content-length'];
  return { offset: 0, total: length === undefined ? null : Number(length) };
}

async function writeAll(file: FileHandle, chunk: Buffer, position: number): Promise<void> {
  for (let at = 0; at < chunk.length; ) {
    at += (await file.write(chunk, at, chunk.length - at, position + at)).bytesWritten;
  }
}

/** One connection: appends what comes to the part. Returns the file's length. */
async function once(client: HttpClient, transfer: Transfer, stallMs: number, onBytes: () => void): Promise<number> {
  const { url, part, size, maxBytes, onProgress, signal } = transfer;
  const existing = await sizeOf(part);
  const range = rangeHeaders(transfer, existing, await readNotes(part));
  const response = await client.open({ ...transfer, headers: { ...transfer.headers, ...range } });
  if (response.status === 416) {
    discard(response.body);
    // Nothing lies behind what is there: it is the whole file, or of another one.
    if (response.headers['content-range'] === `bytes */${existing}`) return existing;
    await discardPart(part);
    throw new DownloadError('REFUSED', `${shortUrl(url)} is shorter than what was fetched of it.`, {
      isTransient: true,
    });
  }
  if (response.status !== 200 && response.status !== 206) {
    discard(response.body);
    throw statusError(url, response.status, response.headers);
  }
  const place = placeOf(response, existing);
  if (!place) {
    discard(response.body);
    await discardPart(part);
    throw new DownloadError('REFUSED', `The server of ${shortUrl(url)} sends another part than was asked for.`, {
      isTransient: true,
    });
  }
  const { offset, total } = place;
  try {
    if (total !== null) checkTotal(transfer, total);
  } catch (error) {
    discard(response.body);
    throw error;
  }
  if (offset === 0) {
    const notes: Notes = { url, validator: validatorOf(response.headers) };
    await stored(writeFile(`${part}.json`, JSON.stringify(notes)));
  }
  const file = await stored(open(part, offset === 0 ? 'w' : 'r+'));
  let received = offset;
  try {
    onProgress?.(received, total ?? size?.bytes ?? null);
    for await (const chunk of watched(response.body, stallMs)) {
      signal?.throwIfAborted();
      await stored(writeAll(file, chunk, received));
      received += chunk.length;
      if (received > maxBytes) throw tooLarge(url, maxBytes);
      if (size && received > size.bytes + size.tolerance) throw damaged(url, `it has more than ${size.bytes} bytes`);
      onBytes();
      onProgress?.(received, total ?? size?.bytes ?? null);
    }
    await stored(file.sync());
  } finally {
    await file.close();
  }
  if (total !== null && received < total) {
    throw new DownloadError('UNREACHABLE', `${shortUrl(url)} ended after ${received} of ${total} bytes.`, {
      isTransient: true,
    });
  }
  if (size && Math.abs(received - size.bytes) > size.tolerance) {
    throw damaged(url, `it has ${received} bytes, and ${size.bytes} were expected`);
  }
  return received;
}

/**
 * Fetches one address into `part`, going on where an earlier try ended, and trying again after pauses where the server fails, falls
 * silent or cuts the line. Returns the number of bytes. Throws DownloadError; what was fetched stays where it can be gone on from.
 */
export async function runTransfer(client: HttpClient, transfer: Transfer, retry: RetrySettings): Promise<number> {
  let failures = 0;
  for (let tries = 1; ; tries++) {
    try {
      return await once(client, transfer, retry.stallMs, () => {
        failures = 0;
      });
    } catch (thrown) {
      if (transfer.signal?.aborted) throw new DownloadError('CANCELLED', 'The download was cancelled.');
      const error = toDownloadError(transfer.url, thrown);
      if (error.code === 'DAMAGED' || error.code === 'TOO_LARGE') await discardPart(transfer.part);
      failures++;
      if (!error.isTransient || failures > MAX_FAILURES || tries >= MAX_TRIES) throw error;
      const pause = Math.min(MAX_BACKOFF_MS, retry.backoffMs * 2 ** (failures - 1) * (0.75 + Math.random() / 2));
      await sleep(Math.max(pause, error.retryAfterMs), undefined, { signal: transfer.signal }).catch(() => undefined);
    }
  }
}

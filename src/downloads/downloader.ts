import { readFile, rename, rm, stat } from 'node:fs/promises';
import { CacheFolder, type Digest, matchesDigest } from './cacheFolder.js';
import { DownloadError, stored } from './errors.js';
import { type HttpClient, shortUrl } from './httpClient.js';
import { withLock } from './lock.js';
import { discardPart, type ExpectedSize, type RetrySettings, runTransfer } from './transfer.js';

export interface DownloadAddress {
  readonly url: string;
  /** True for addresses that a client named; see `HttpRequest`. */
  readonly isRestricted: boolean;
  readonly authorization?: string | undefined;
}

export interface FileRequest {
  /** Its name in the cache. Files that differ need names that differ. */
  readonly name: string;
  /** What people call it, where that is not its name in the cache. */
  readonly title?: string;
  /** Tried in order. */
  readonly addresses: readonly DownloadAddress[];
  /** Without one, only the length is checked, and the file is not kept. */
  readonly digest: Digest | null;
  readonly size: ExpectedSize | null;
}

export interface DownloadProgress {
  readonly file: string;
  /** Where it comes from at present; null: it was in the cache. */
  readonly url: string | null;
  readonly receivedBytes: number;
  /** Null where the server does not say. */
  readonly totalBytes: number | null;
}

export interface DownloaderSettings extends RetrySettings {
  readonly folder: string;
  /** Of one file. */
  readonly maxBytes: number;
  readonly cacheBytes: number;
}

export interface ReadOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: DownloadProgress) => void) | undefined;
}

const MAX_ACTIVE = 4;
const MAX_WAITING = 64;

/** A download under way and those who wait for it. */
interface Shared {
  readonly abort: AbortController;
  readonly listeners: Set<(progress: DownloadProgress) => void>;
  last: DownloadProgress | null;
  waiting: number;
  readonly bytes: Promise<Uint8Array>;
}

/**
 * Files of the internet, through a cache folder that several processes may share. A file appears in it whole and checked, or not at
 * all. Requests for one file at the same time share one download.
 */
export class Downloader {
  private readonly folder: CacheFolder;
  private readonly shared = new Map<string, Shared>();
  private readonly waiting: (() => void)[] = [];
  private active = 0;

  constructor(
    private readonly client: HttpClient,
    private readonly settings: DownloaderSettings,
  ) {
    this.folder = new CacheFolder(settings.folder, settings.cacheBytes);
  }

  /** The file's bytes. Throws DownloadError. */
  async read(request: FileRequest, options: ReadOptions = {}): Promise<Uint8Array> {
    const { signal, onProgress } = options;
    if (signal?.aborted) throw cancelled();
    const key = JSON.stringify([request.name, request.digest]);
    const shared = this.shared.get(key) ?? this.begin(key, request);
    if (onProgress) {
      shared.listeners.add(onProgress);
      if (shared.last) onProgress(shared.last);
    }
    shared.waiting++;
    try {
      return await (signal ? Promise.race([shared.bytes, aborted(signal)]) : shared.bytes);
    } finally {
      if (onProgress) shared.listeners.delete(onProgress);
      if (--shared.waiting === 0) {
        if (this.shared.get(key) === shared) this.shared.delete(key);
        shared.abort.abort();
      }
    }
  }

  private begin(key: string, request: FileRequest): Shared {
    const abort = new AbortController();
    const listeners: Shared['listeners'] = new Set();
    const shared: Shared = {
      abort,
      listeners,
      last: null,
      waiting: 0,
      bytes: this.turn(() =>
        this.obtain(request, abort.signal, (progress) => {
          shared.last = progress;
          for (const listener of listeners) listener(progress);
        }),
      ),
    };
    // Those who wait hear of it; if nobody does any more, nobody has to.
    shared.bytes.catch(() => undefined);
    this.shared.set(key, shared);
    return shared;
  }

  private async turn<T>(work: () => Promise<T>): Promise<T> {
    if (this.active >= MAX_ACTIVE) {
      if (this.waiting.length >= MAX_WAITING) {
        throw new DownloadError('QUEUE_FULL', `${MAX_WAITING} downloads are waiting already. Try again later.`);
      }
      // Whoever ends hands its place on.
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    } else {
      this.active++;
    }
    try {
      return await work();
    } finally {
      const next = this.waiting.shift();
      if (next) next();
      else this.active--;
    }
  }

  private async obtain(
    request: FileRequest,
    signal: AbortSignal,
    report: (progress: DownloadProgress) => void,
  ): Promise<Uint8Array> {
    await stored(this.folder.open());
    const path = this.folder.place(request.name);
    const cached = await this.cached(request);
    if (cached) {
      report({ file: titleOf(request), url: null, receivedBytes: cached.length, totalBytes: cached.length });
      return cached;
    }
    return withLock(`${path}.lock`, signal, async (assertHeld) => {
      // Another process may have fetched it in the meantime.
      const fetched = await this.cached(request);
      if (fetched) return fetched;
      const part = `${path}.part`;
      await this.fetch(request, part, signal, report);
      await assertHeld();
      if (!request.digest) {
        const bytes = await readFile(part);
        await discardPart(part);
        return bytes;
      }
      await stored(rename(part, path));
      await rm(`${part}.json`, { force: true });
      const bytes = await readFile(path);
      await this.folder.trim();
      return bytes;
    });
  }

  /** What the cache has. A file that is not what it should be is deleted. */
  private async cached({ name, digest, size }: FileRequest): Promise<Uint8Array | null> {
    if (!digest) return null;
    const bytes = await this.folder.find(name);
    if (bytes === null) return null;
    const path = this.folder.place(name);
    const fits = !size || Math.abs(bytes - size.bytes) <= size.tolerance;
    if (fits && (await matchesDigest(path, digest))) return readFile(path);
    await rm(path, { force: true });
    return null;
  }

  /** Leaves the whole, checked file in `part`. */
  private async fetch(
    request: FileRequest,
    part: string,
    signal: AbortSignal,
    report: (progress: DownloadProgress) => void,
  ): Promise<void> {
    const failures: DownloadError[] = [];
    for (const address of request.addresses) {
      const { url } = address;
      const onProgress = (receivedBytes: number, totalBytes: number | null) =>
        report({ file: titleOf(request), url: shortUrl(url), receivedBytes, totalBytes });
      try {
        const wasResumed = (await stat(part).catch(() => null)) !== null;
        await this.fetchFrom(request, { ...address, part, signal, onProgress }, wasResumed);
        return;
      } catch (error) {
        if (!(error instanceof DownloadError) || ['CANCELLED', 'STORAGE'].includes(error.code)) throw error;
        failures.push(error);
      }
    }
    throw this.summary(request, failures);
  }

  /** A file that was put together from two tries and is wrong may be right when it is fetched in one. */
  private async fetchFrom(
    request: FileRequest,
    address: DownloadAddress & { part: string; signal: AbortSignal; onProgress: (r: number, t: number | null) => void },
    wasResumed: boolean,
  ): Promise<void> {
    const { digest, size } = request;
    const { part, url } = address;
    const transfer = { ...address, isVerified: digest !== null, size, maxBytes: this.settings.maxBytes };
    await runTransfer(this.client, transfer, this.settings);
    if (!digest || (await matchesDigest(part, digest))) return;
    await discardPart(part);
    if (wasResumed) return this.fetchFrom(request, address, false);
    const algorithm = digest.algorithm === 'gitBlob' ? 'git blob' : digest.algorithm;
    throw new DownloadError(
      'DAMAGED',
      `${shortUrl(url)} is not the file that was expected: its ${algorithm} hash does not begin with ${digest.hex.slice(0, 16)}.`,
    );
  }

  private summary(request: FileRequest, failures: readonly DownloadError[]): DownloadError {
    const [first] = failures as [DownloadError];
    const reasons = failures.map(({ message }) => message).join(' ');
    const byHand = request.digest ? ` The file can also be put there by hand: ${this.folder.place(request.name)}.` : '';
    const code = failures.every((failure) => failure.code === first.code)
      ? first.code
      : (failures.at(-1) ?? first).code;
    return new DownloadError(code, `${titleOf(request)} cannot be downloaded. ${reasons}${byHand}`, { cause: first });
  }
}

const titleOf = ({ name, title }: FileRequest): string => title ?? name;

const cancelled = () => new DownloadError('CANCELLED', 'The download was cancelled.');

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => reject(cancelled()), { once: true }));
}

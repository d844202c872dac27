import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config.js';
import { type DownloadProgress, Downloader, type ReadOptions } from '../downloads/downloader.js';
import { HttpClient } from '../downloads/httpClient.js';
import { Bell } from '../jobs/events.js';
import { type DownloadRecord, ServiceError, type Services } from './api.js';
import type { Context } from './context.js';
import { toServiceError } from './errors.js';
import { badInput } from './inputs.js';

/** Downloads that are over are remembered for watchers that come late. */
const REMEMBERED = 200;
/** Pause after the first failure of a connection. */
const BACKOFF_MS = 500;
/** A watcher hears of progress no more often. */
const EVENT_MS = 100;
/** How long a watcher waits between looks at a download that says nothing. */
const POLL_MS = 10_000;
const MAX_ID = 100;

interface Operation {
  record: DownloadRecord;
  readonly abort: AbortController;
}

/** Downloads with names that clients gave them. Only the newest state of each is kept, so that a slow watcher costs nothing. */
export class Downloads {
  private readonly operations = new Map<string, Operation>();
  private readonly watchers = new Map<string, Set<Bell>>();

  constructor(
    readonly client: HttpClient,
    readonly downloader: Downloader,
  ) {}

  async close(): Promise<void> {
    for (const { abort } of this.operations.values()) abort.abort();
    await this.client.close();
  }

  /** Runs `work`, which downloads, under a name. Throws CONFLICT where a download of that name is under way. */
  async run<T>(operationId: string | undefined, work: (options: ReadOptions) => Promise<T>): Promise<T> {
    if (operationId === undefined) return work({});
    checkId(operationId);
    if (this.operations.get(operationId)?.record.state === 'RUNNING') {
      throw new ServiceError('CONFLICT', `A download named ${operationId} is under way. Choose another operationId.`);
    }
    const abort = new AbortController();
    const nothing = { file: null, url: null, receivedBytes: 0, totalBytes: null, error: null };
    this.set(operationId, { record: { operationId, state: 'RUNNING', ...nothing }, abort });
    const update = (changes: Partial<DownloadRecord>) => {
      const { record } = this.operations.get(operationId) as Operation;
      this.set(operationId, { record: { ...record, ...changes }, abort });
    };
    try {
      const onProgress = (progress: DownloadProgress) => update(progress);
      const result = await work({ signal: abort.signal, onProgress });
      update({ state: 'SUCCEEDED' });
      return result;
    } catch (error) {
      const known = toServiceError(error);
      update({ state: 'FAILED', error: known instanceof ServiceError ? known.message : 'A fault of Graft.' });
      throw error;
    }
  }

  cancel(operationId: string): boolean {
    const operation = this.operations.get(operationId);
    if (operation?.record.state !== 'RUNNING') return false;
    operation.abort.abort();
    return true;
  }

  async *watch(operationId: string, signal: AbortSignal): AsyncGenerator<DownloadRecord, void, undefined> {
    const bell = new Bell();
    const wake = () => bell.ring();
    const own = this.watchers.get(operationId) ?? new Set();
    this.watchers.set(operationId, own.add(bell));
    signal.addEventListener('abort', wake, { once: true });
    let last: DownloadRecord | undefined;
    try {
      while (!signal.aborted) {
        const record = this.operations.get(operationId)?.record;
        if (record && record !== last) {
          last = record;
          yield record;
          if (record.state !== 'RUNNING') return;
          await sleep(EVENT_MS, undefined, { signal }).catch(() => undefined);
        } else {
          await bell.wait(POLL_MS);
        }
      }
    } finally {
      signal.removeEventListener('abort', wake);
      own.delete(bell);
      if (own.size === 0) this.watchers.delete(operationId);
    }
  }

  private set(operationId: string, operation: Operation): void {
    // The last one to change lies last.
    this.operations.delete(operationId);
    this.operations.set(operationId, operation);
    if (this.operations.size > REMEMBERED) {
      const over = [...this.operations].find(([, { record }]) => record.state !== 'RUNNING');
      if (over) this.operations.delete(over[0]);
    }
    for (const bell of this.watchers.get(operationId) ?? []) bell.ring();
  }
}

function checkId(operationId: string): void {
  if (operationId.length < 1 || operationId.length > MAX_ID || /\p{Cc}/u.test(operationId)) {
    throw badInput(`operationId has 1 to ${MAX_ID} characters and no control characters.`);
  }
}

export function openDownloads(config: Config, version: string): Downloads {
  const client = new HttpClient({
    httpProxy: config.httpProxy,
    httpsProxy: config.httpsProxy,
    noProxy: config.noProxy,
    allowPrivate: config.privateDownloads === 'on',
    trusted: [config.huggingFaceUrl, config.npmRegistry].filter((url) => url !== null),
    stallMs: config.downloadStallMs,
    userAgent: `graft/${version}`,
  });
  const downloader = new Downloader(client, {
    folder: config.downloadDir ?? join(config.dataDir, 'downloads'),
    maxBytes: config.maxDownloadBytes,
    cacheBytes: config.downloadCacheBytes,
    stallMs: config.downloadStallMs,
    backoffMs: BACKOFF_MS,
  });
  return new Downloads(client, downloader);
}

export function downloadServices({ downloads, closing }: Context): Pick<Services, 'watchDownload' | 'cancelDownload'> {
  return {
    watchDownload(operationId) {
      checkId(operationId);
      const abort = new AbortController();
      const source = downloads.watch(operationId, AbortSignal.any([abort.signal, closing]));
      // The iterator's own `return` wakes a watcher that waits, so that nothing of it stays behind.
      const iterator: AsyncIterableIterator<DownloadRecord> = {
        next: () => source.next(),
        async return() {
          abort.abort();
          await source.return();
          return { done: true, value: undefined };
        },
        async throw(error) {
          await iterator.return?.();
          throw error;
        },
        [Symbol.asyncIterator]: () => iterator,
      };
      return iterator;
    },
    cancelDownload: (operationId) => downloads.cancel(operationId),
  };
}

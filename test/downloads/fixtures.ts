import { type ClientSettings, HttpClient } from '../../src/downloads/httpClient.js';
import { Downloader, type DownloaderSettings, type FileRequest } from '../../src/downloads/downloader.js';
import { sha256 } from './fileServer.js';

export const clientSettings = (changes: Partial<ClientSettings> = {}): ClientSettings => ({
  httpProxy: null,
  httpsProxy: null,
  noProxy: null,
  allowPrivate: false,
  trusted: [],
  stallMs: 400,
  userAgent: 'graft-test',
  ...changes,
});

export const downloader = (
  folder: string,
  changes: Partial<DownloaderSettings> = {},
  client: Partial<ClientSettings> = {},
) =>
  new Downloader(new HttpClient(clientSettings(client)), {
    folder,
    stallMs: 400,
    backoffMs: 5,
    maxBytes: 1e8,
    cacheBytes: 1e9,
    ...changes,
  });

/** A request for `data` with its hash and length. */
export const requestFor = (data: Uint8Array, ...urls: string[]): FileRequest => ({
  name: 'file.bin',
  addresses: urls.map((url) => ({ url, isRestricted: false })),
  digest: { algorithm: 'sha256', hex: sha256(data).slice(0, 8) },
  size: { bytes: data.length, tolerance: 0 },
});

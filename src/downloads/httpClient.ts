import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { type Dispatcher, EnvHttpProxyAgent, request } from 'undici';
import { checkHost, type Lookup, publicLookup } from './addresses.js';
import { DownloadError } from './errors.js';

export interface ClientSettings {
  /** As the environment gives them; null: none. */
  readonly httpProxy: string | null;
  readonly httpsProxy: string | null;
  readonly noProxy: string | null;
  /** Whether clients may name addresses inside this machine and its network. */
  readonly allowPrivate: boolean;
  /** Addresses that the operator set, such as a registry of their own: restrictions do not hold for their hosts. */
  readonly trusted: readonly string[];
  /** A connection that brings next to nothing for this long is given up. */
  readonly stallMs: number;
  readonly userAgent: string;
  /** For tests. */
  readonly lookup?: Lookup;
}

export interface HttpRequest {
  readonly url: string;
  /** True for addresses that a client named: they must be public, wherever they lead. */
  readonly isRestricted: boolean;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent to the address's own host only, not to where it redirects. */
  readonly authorization?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface HttpResponse {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Must be read, or given to `discard`. */
  readonly body: Readable;
}

const MAX_REDIRECTS = 10;
const REDIRECTS = [301, 302, 303, 307, 308];
/** Answers of registries and hubs. */
const MAX_JSON_BYTES = 8 * 2 ** 20;
/** Errors of connecting that another try at once will not cure. */
const LASTING = new Set(['ENOTFOUND', 'EAI_AGAIN', 'EAI_FAIL', 'ECONNREFUSED', 'ENETUNREACH', 'EHOSTUNREACH']);

/** An address without its query, which may hold a signature. */
export function shortUrl(url: string): string {
  const query = url.indexOf('?');
  return query < 0 ? url : `${url.slice(0, query)}?...`;
}

/** Ends an answer that nobody wants to read. */
export function discard(body: Readable): void {
  body.on('error', () => undefined).destroy();
}

/** Throws INVALID_URL. */
export function parseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (!url || !['http:', 'https:'].includes(url.protocol) || url.username || url.password) {
    const expected = 'an http or https address without a user name or password in it';
    throw new DownloadError('INVALID_URL', `${JSON.stringify(text.slice(0, 200))} is not ${expected}.`);
  }
  url.hash = '';
  return url;
}

/** What went wrong on the way, as a DownloadError. */
export function toDownloadError(url: string, error: unknown): DownloadError {
  if (error instanceof DownloadError) return error;
  const { cause } = error as { cause?: unknown };
  if (cause instanceof DownloadError) return cause;
  const { code, message } = error as { code?: string; message: string };
  const isCertificate = /CERT|SELF_SIGNED|SSL|TLS/.test(code ?? '');
  const advice = isCertificate
    ? ' NODE_EXTRA_CA_CERTS names a file with the certificates of an own authority.'
    : ' Is there a network? HTTPS_PROXY names a proxy where one is needed.';
  return new DownloadError('UNREACHABLE', `${shortUrl(url)} cannot be reached: ${message || code}.${advice}`, {
    cause: error,
    isTransient: !isCertificate && !LASTING.has(code ?? ''),
  });
}

/** HTTP with proxies, redirects, limits of time, and rules for whom it may talk to. */
export class HttpClient {
  private readonly free: Dispatcher;
  private readonly guarded: Dispatcher;
  private readonly trusted: Set<string>;

  constructor(private readonly settings: ClientSettings) {
    const { httpProxy, httpsProxy, noProxy, stallMs } = settings;
    const options = {
      httpProxy: httpProxy ?? '',
      httpsProxy: httpsProxy ?? '',
      noProxy: noProxy ?? '',
      // Silence is watched over by whoever reads.
      headersTimeout: 0,
      bodyTimeout: 0,
    };
    const connect = { timeout: stallMs };
    this.free = new EnvHttpProxyAgent({ ...options, connect });
    this.guarded = new EnvHttpProxyAgent({
      ...options,
      connect: { ...connect, lookup: (settings.lookup ?? publicLookup) as never },
    });
    this.trusted = new Set(settings.trusted.map((url) => new URL(url).origin));
  }

  /** The answer of the address, or of where it redirects to. Throws DownloadError; a status of an error is no exception. */
  async open(asked: HttpRequest): Promise<HttpResponse> {
    let url = parseUrl(asked.url);
    const { origin } = url;
    for (let hops = 0; hops <= MAX_REDIRECTS; hops++) {
      const { statusCode, headers, body } = await this.once(url, asked, url.origin === origin);
      const { location } = headers;
      if (!REDIRECTS.includes(statusCode) || typeof location !== 'string') return { status: statusCode, headers, body };
      discard(body);
      const next = URL.canParse(location, url.href) ? new URL(location, url.href) : null;
      if (!next)
        throw new DownloadError('REFUSED', `${shortUrl(asked.url)} redirects to something that is no address.`);
      const target = parseUrl(next.href);
      if (url.protocol === 'https:' && target.protocol === 'http:') {
        const message = `${shortUrl(asked.url)} redirects from https to ${shortUrl(target.href)}, which is not encrypted.`;
        throw new DownloadError('REFUSED', message);
      }
      url = target;
    }
    throw new DownloadError('TOO_MANY_REDIRECTS', `${shortUrl(asked.url)} redirects more than ${MAX_REDIRECTS} times.`);
  }

  /** A JSON answer of at most 8 MiB. Throws DownloadError, also for every status but 200. */
  async json(asked: HttpRequest): Promise<unknown> {
    const { status, headers, body } = await this.open({
      ...asked,
      headers: { accept: 'application/json', ...asked.headers },
    });
    if (status !== 200) {
      discard(body);
      throw statusError(asked.url, status, headers);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    try {
      for await (const chunk of watched(body, this.settings.stallMs)) {
        bytes += chunk.length;
        if (bytes > MAX_JSON_BYTES) {
          const message = `${shortUrl(asked.url)} answers with more than ${MAX_JSON_BYTES} bytes.`;
          throw new DownloadError('TOO_LARGE', message);
        }
        chunks.push(chunk);
      }
    } catch (error) {
      throw toDownloadError(asked.url, error);
    }
    try {
      return JSON.parse(Buffer.concat(chunks).toString()) as unknown;
    } catch (cause) {
      throw new DownloadError('REFUSED', `${shortUrl(asked.url)} does not answer with JSON.`, { cause });
    }
  }

  /** Lifts the restrictions for an address that the operator set. */
  trust(url: string): void {
    this.trusted.add(new URL(url).origin);
  }

  async close(): Promise<void> {
    await Promise.all([this.free.destroy(), this.guarded.destroy()]);
  }

  private async once(url: URL, { isRestricted, headers, authorization, signal }: HttpRequest, isOwnHost: boolean) {
    const isGuarded = isRestricted && !this.settings.allowPrivate && !this.trusted.has(url.origin);
    if (isGuarded) checkHost(url);
    const silence = new AbortController();
    const timer = setTimeout(() => silence.abort(stalled(this.settings.stallMs)), this.settings.stallMs);
    try {
      return await request(url, {
        dispatcher: isGuarded ? this.guarded : this.free,
        signal: signal ? AbortSignal.any([signal, silence.signal]) : silence.signal,
        headers: {
          ...headers,
          'user-agent': this.settings.userAgent,
          // A compressed body would have another length and could not be resumed.
          'accept-encoding': 'identity',
          ...(authorization && isOwnHost ? { authorization } : {}),
        },
      });
    } catch (error) {
      signal?.throwIfAborted();
      throw toDownloadError(url.href, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

function stalled(ms: number): DownloadError {
  return new DownloadError('UNREACHABLE', `the server has sent next to nothing for ${ms / 1000} s`, {
    isTransient: true,
  });
}

/** What has to come within `stallMs`: a server that trickles would hold up the queue for days. */
const LEAST_BYTES = 64 * 1024;

/** The chunks of a body; throws where `stallMs` bring less than `LEAST_BYTES` and not the end. */
export async function* watched(body: Readable, stallMs: number): AsyncGenerator<Buffer, void, undefined> {
  const timer = setTimeout(() => body.destroy(stalled(stallMs)), stallMs);
  try {
    let since = 0;
    for await (const data of body) {
      const chunk = data as Buffer;
      since += chunk.length;
      if (since >= LEAST_BYTES) {
        since = 0;
        timer.refresh();
      }
      yield chunk;
    }
  } finally {
    clearTimeout(timer);
    discard(body);
  }
}

const MAX_RETRY_AFTER_MS = 60_000;

function retryAfterMs({ 'retry-after': value }: IncomingHttpHeaders): number {
  if (value === undefined) return 0;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MAX_RETRY_AFTER_MS) : 0;
}

/** What a status that is not the one wanted means. */
export function statusError(url: string, status: number, headers: IncomingHttpHeaders): DownloadError {
  const short = shortUrl(url);
  if (status === 404 || status === 410)
    return new DownloadError('NOT_FOUND', `${short} does not exist (status ${status}).`);
  if (status === 401 || status === 403) {
    const text = `${short} may not be fetched without permission (status ${status}). GRAFT_HF_TOKEN is sent to the Hugging Face hub.`;
    return new DownloadError('REFUSED', text);
  }
  if (status === 408 || status === 425 || status === 429 || status >= 500) {
    const options = { isTransient: true, retryAfterMs: retryAfterMs(headers) };
    return new DownloadError('REFUSED', `The server of ${short} fails (status ${status}).`, options);
  }
  return new DownloadError('REFUSED', `The server of ${short} answers with status ${status}.`);
}

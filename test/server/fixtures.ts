import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { type Client, createClient } from 'graphql-ws';
import { type Logger, pino } from 'pino';
import WebSocket from 'ws';
import { type Config, loadConfig } from '../../src/config.js';
import { requestFields } from '../../src/http/requests.js';
import { type RunningServer, startServer } from '../../src/server.js';
import { ServiceError, type Services, type UploadRecord } from '../../src/services/api.js';

/** Services of which a test says what they do; any other call fails and says its name. */
export function fakeServices(methods: Partial<Services>): Services {
  return new Proxy(methods as Services, {
    get(target, name: string) {
      if (name in target) return target[name as keyof Services];
      return () => {
        throw new Error(`unexpected call of services.${name}`);
      };
    },
  });
}

/** Uploads and blobs in memory, with the contract of `saveUpload` and `openBlob`. */
export function memoryBlobs(): Pick<Services, 'saveUpload' | 'openBlob'> & { blobs: Map<string, Buffer> } {
  const blobs = new Map<string, Buffer>();
  return {
    blobs,
    async saveUpload(filename, stream, maxBytes): Promise<UploadRecord> {
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of stream as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if (bytes > maxBytes) throw new ServiceError('LIMIT_EXCEEDED', `more than ${maxBytes} bytes`);
        chunks.push(chunk);
      }
      const content = Buffer.concat(chunks);
      const hash = createHash('sha256').update(content).digest('hex');
      blobs.set(hash, content);
      return { id: `upload-${blobs.size}`, filename, bytes, hash, createdAt: Date.now() };
    },
    async openBlob(hash) {
      const content = blobs.get(hash);
      if (!content) throw new ServiceError('NOT_FOUND', `There is no blob ${hash}.`);
      return { stream: Readable.from([content]), bytes: content.length };
    },
  };
}

export interface TestServer extends RunningServer {
  /** What was logged, as parsed JSON lines. */
  readonly log: Record<string, unknown>[];
  readonly query: <T = Record<string, unknown>>(
    text: string,
    variables?: Record<string, unknown>,
    headers?: Record<string, string>,
  ) => Promise<GraphqlAnswer<T>>;
  /** A WebSocket client like a user's; `dispose` it. */
  readonly socketClient: () => Client;
}

export interface GraphqlAnswer<T> {
  readonly status: number;
  readonly data: T | null | undefined;
  readonly errors: readonly {
    readonly message: string;
    readonly path?: readonly (string | number)[];
    readonly extensions?: Record<string, unknown>;
  }[];
}

export async function post<T>(
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<GraphqlAnswer<T>> {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  const answer = (await response.json()) as Partial<GraphqlAnswer<T>>;
  return { status: response.status, data: answer.data, errors: answer.errors ?? [] };
}

/** A server on a free port. */
export async function startTestServer(
  services: Services | undefined,
  settings: Partial<Config> = {},
  level = 'error',
): Promise<TestServer> {
  const log: Record<string, unknown>[] = [];
  const logger: Logger = pino(
    { level, mixin: requestFields },
    { write: (line: string) => void log.push(JSON.parse(line)) },
  );
  const config = { ...loadConfig({}), port: 0, ...settings };
  const server = await startServer({ config, ...(services ? { services } : {}), logger });
  return {
    ...server,
    log,
    query: (query, variables = {}, headers = {}) => post(server.url, { query, variables }, headers),
    socketClient: () =>
      createClient({
        url: `${server.url.replace('http', 'ws')}/graphql`,
        webSocketImpl: WebSocket,
        retryAttempts: 0,
      }),
  };
}

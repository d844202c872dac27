import { type Client, createClient } from 'graphql-ws';
import WebSocket from 'ws';

/** The server refused an operation; `code` is the API's `extensions.code`. */
export class OperationError extends Error {
  constructor(
    message: string,
    readonly code: string,
  ) {
    super(message);
    this.name = 'OperationError';
  }
}

/** A GraphQL document with the type of its answer and of its variables. */
export interface Operation<Data, Variables> {
  readonly text: string;
  /** Never there: holds the types. */
  readonly types?: readonly [Data, Variables];
}

/** What GraphQL over HTTP and over WebSocket answer alike. */
interface Answer<Data> {
  readonly data?: Data | null;
  readonly errors?: readonly {
    readonly message: string;
    readonly extensions?: Readonly<Record<string, unknown>>;
  }[];
}

const codeOf = ({ code }: Readonly<Record<string, unknown>> = {}): string =>
  typeof code === 'string' ? code : 'UNKNOWN';

function dataOf<Data>({ data, errors }: Answer<Data>): Data {
  const [error] = errors ?? [];
  if (error) throw new OperationError(error.message, codeOf(error.extensions));
  if (!data) throw new OperationError('The server gave neither data nor errors.', 'UNKNOWN');
  return data;
}

/** A client of Graft's API as anybody could write one: fetch for queries and mutations, graphql-ws for what takes long. */
export class GraftClient {
  private readonly socket: Client;

  /** `url`: the server's address without a path. `signal` ends everything that is under way. */
  constructor(
    private readonly url: string,
    private readonly signal: AbortSignal,
  ) {
    this.socket = createClient({
      url: `${url.replace(/^http/, 'ws')}/graphql`,
      webSocketImpl: WebSocket,
      retryAttempts: 5,
    });
  }

  /** A query or mutation over HTTP. */
  async request<Data, Variables>({ text }: Operation<Data, Variables>, variables: Variables): Promise<Data> {
    const response = await fetch(`${this.url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ query: text, variables }),
      signal: this.signal,
    });
    return dataOf((await response.json()) as Answer<Data>);
  }

  /** A query or mutation over the WebSocket, which may take longer than fetch waits for an answer. */
  async requestLong<Data, Variables>(operation: Operation<Data, Variables>, variables: Variables): Promise<Data> {
    for await (const data of this.subscribe(operation, variables)) return data;
    throw new OperationError('The server ended the operation without an answer.', 'UNKNOWN');
  }

  /** A subscription's events. */
  async *subscribe<Data, Variables>({ text }: Operation<Data, Variables>, variables: Variables): AsyncGenerator<Data> {
    this.signal.throwIfAborted();
    const events = this.socket.iterate<Data>({ query: text, variables: variables as Record<string, unknown> });
    const stop = () => void events.return?.();
    this.signal.addEventListener('abort', stop, { once: true });
    try {
      for await (const event of events) yield dataOf(event as Answer<Data>);
      this.signal.throwIfAborted();
    } finally {
      this.signal.removeEventListener('abort', stop);
    }
  }

  /** Sends a file; returns the upload's id. */
  async upload(file: Blob, filename: string): Promise<string> {
    const form = new FormData();
    form.append('file', file, filename);
    const headers = { 'apollo-require-preflight': 'true' };
    const response = await fetch(`${this.url}/uploads`, { method: 'POST', headers, body: form, signal: this.signal });
    const answer = (await response.json()) as { uploads?: readonly { id: string }[] } & Answer<unknown>;
    const { uploads } = dataOf({ errors: answer.errors, data: { uploads: answer.uploads ?? [] } });
    const [upload] = uploads;
    if (!upload) throw new OperationError('The server took no file.', 'UNKNOWN');
    return upload.id;
  }

  /** Fetches what the API gave a `url` for. */
  async download(path: string): Promise<Uint8Array<ArrayBuffer>> {
    const response = await fetch(`${this.url}${path}`, { signal: this.signal });
    if (!response.ok) throw new OperationError(`GET ${path} answered ${response.status}.`, 'DOWNLOAD_FAILED');
    return new Uint8Array(await response.arrayBuffer());
  }

  async close(): Promise<void> {
    await this.socket.dispose();
  }
}

import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';

export interface Visit {
  readonly path: string;
  readonly range: string | null;
  readonly headers: IncomingMessage['headers'];
}
type Answer = (request: IncomingMessage, response: ServerResponse, visits: readonly Visit[]) => void;

export const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');

/** An HTTP server on this machine whose answers a test says; it keeps who asked for what. */
export async function fileServer(answer: Answer) {
  const visits: Visit[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((request, response) => {
    response.on('error', () => undefined);
    visits.push({ path: request.url ?? '', range: request.headers.range ?? null, headers: request.headers });
    answer(request, response, visits);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    visits,
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const CUT_MS = 20;

/** Ends the connection once `received` says that so many bytes are with the client, or after a moment. */
export function cutOnceReceived(
  response: ServerResponse,
  bytes: number,
  { received }: { received?: () => number },
): void {
  const timer = setInterval(() => {
    if (received && received() < bytes) return;
    clearInterval(timer);
    response.socket?.end();
  }, CUT_MS);
}

/**
 * Serves `data` as a well-behaved server does: ranges, entity tag, If-Range. `cutAfter` ends the connection after so many bytes:
 * once `received` says that they are with the client, which may drop what lies unread when a line is cut.
 */
export function serve(
  data: Uint8Array,
  options: { etag?: string; cutAfter?: number; received?: () => number; slowly?: boolean } = {},
): Answer {
  const { etag = '"one"', cutAfter, slowly } = options;
  return (request, response) => {
    const condition = request.headers['if-range'];
    const match = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
    const isPart = match !== null && (condition === undefined || condition === etag);
    const start = isPart ? Number(match[1]) : 0;
    if (start >= data.length) {
      response.writeHead(416, { 'content-range': `bytes */${data.length}` }).end();
      return;
    }
    const range = isPart ? { 'content-range': `bytes ${start}-${data.length - 1}/${data.length}` } : {};
    response.writeHead(isPart ? 206 : 200, { etag, 'content-length': data.length - start, ...range });
    if (cutAfter !== undefined && start + cutAfter < data.length) {
      response.write(data.subarray(start, start + cutAfter), () =>
        cutOnceReceived(response, start + cutAfter, options),
      );
      return;
    }
    if (!slowly) {
      response.end(data.subarray(start));
      return;
    }
    let at = start;
    const step = Math.ceil(data.length / 10);
    const timer = setInterval(() => {
      response.write(data.subarray(at, at + step));
      at += step;
      if (at < data.length) return;
      clearInterval(timer);
      response.end();
    }, 20);
  };
}

import type { IncomingMessage, Server } from 'node:http';
import type { Duplex } from 'node:stream';
import {
  type ExecutionArgs,
  GraphQLError,
  type GraphQLSchema,
  NoSchemaIntrospectionCustomRule,
  parse,
  specifiedRules,
  type ValidationRule,
  validate,
} from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import type { Logger } from 'pino';
import { WebSocketServer } from 'ws';
import { createContext } from '../resolvers/context.js';
import { formatError } from '../resolvers/errors.js';
import { assertAffordable, depthRule, LIMITS } from '../resolvers/limits.js';
import type { Config } from '../config.js';
import type { Services } from '../services/api.js';

const LARGEST_MESSAGE = 2 ** 20;
const MOST_OPERATIONS = 100;
const CLOSE_MS = 1_000;

/**
 * Browsers let any page open a WebSocket to any server, without a preflight; so a page has to come from this server.
 * Programs send no Origin.
 */
function isForeign({ headers: { origin, host } }: IncomingMessage): boolean {
  if (origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== host;
}

function refuse(socket: Duplex, status: string): void {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

/** Checks an operation as Apollo does over HTTP: size, syntax, validity, depth, cost. */
function prepare(
  schema: GraphQLSchema,
  payload: { query: string; operationName?: string | null; variables?: Record<string, unknown> | null },
  rules: readonly ValidationRule[],
): ExecutionArgs | readonly GraphQLError[] {
  const { query, operationName, variables } = payload;
  try {
    const document = parse(query, { maxTokens: LIMITS.tokens });
    const errors = validate(schema, document, rules);
    if (errors.length > 0) return errors;
    assertAffordable(schema, document, operationName, variables);
    return { schema, document, operationName, variableValues: variables };
  } catch (error) {
    if (error instanceof GraphQLError) return [error];
    throw error;
  }
}

/** GraphQL over WebSocket (graphql-transport-ws) on `path` of an HTTP server. Returns what closes it. */
export function serveWebSocket(
  httpServer: Server,
  path: string,
  schema: GraphQLSchema,
  services: Services,
  config: Pick<Config, 'introspection'>,
  logger: Logger,
): () => Promise<void> {
  const rules = [...specifiedRules, depthRule, ...(config.introspection ? [] : [NoSchemaIntrospectionCustomRule])];
  const sockets = new WebSocketServer({ noServer: true, maxPayload: LARGEST_MESSAGE });
  httpServer.on('upgrade', (request, socket, head) => {
    socket.on('error', (error) => logger.debug({ err: error }, 'a connection failed before it became a WebSocket'));
    if (new URL(request.url ?? '/', 'http://localhost').pathname !== path) return refuse(socket, '404 Not Found');
    if (isForeign(request)) return refuse(socket, '403 Forbidden');
    return sockets.handleUpgrade(request, socket, head, (client) => sockets.emit('connection', client, request));
  });
  const server = useServer(
    {
      onSubscribe({ subscriptions }, _id, payload) {
        if (Object.keys(subscriptions).length > MOST_OPERATIONS) {
          const message = `At most ${MOST_OPERATIONS} operations may run over one connection. End some, or open another.`;
          return [new GraphQLError(message, { extensions: { code: 'LIMIT_EXCEEDED' } })];
        }
        return prepare(schema, payload, rules);
      },
      context: () => createContext(services, { cache: false }),
      onError: (_context, _id, _payload, errors) => errors.map((error) => formatError(error.toJSON(), error, logger)),
      onNext: (_context, _id, _payload, _args, result) =>
        ({
          ...result,
          ...(result.errors
            ? { errors: result.errors.map((error) => formatError(error.toJSON(), error, logger)) }
            : {}),
        }) as never,
      isProd: true,
    },
    sockets,
  );
  return async () => {
    // Clients get a moment to answer the close; one that does not must not keep the server from stopping.
    const terminate = setTimeout(() => {
      for (const client of sockets.clients) client.terminate();
    }, CLOSE_MS);
    await server.dispose();
    clearTimeout(terminate);
  };
}

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expressMiddleware } from '@as-integrations/express5';
import express from 'express';
import { type Logger, pino } from 'pino';
import type { Config } from './config.js';
import { createApollo } from './http/apollo.js';
import { blobs, thumbnails } from './http/blobs.js';
import { jsonErrors } from './http/errors.js';
import { readiness } from './http/health.js';
import { Metrics } from './http/metrics.js';
import { identify, requestFields } from './http/requests.js';
import { securityHeaders } from './http/headers.js';
import { uploads } from './http/uploads.js';
import { serveWebSocket } from './http/websocket.js';
import { createContext } from './resolvers/context.js';
import { createSchema } from './resolvers/schema.js';
import type { Services } from './services/api.js';
import { createServices } from './services/createServices.js';

const GRAPHQL_PATH = '/graphql';
/** A large upload over a slow line takes long; headers have a time limit of their own. */
const REQUEST_TIMEOUT_MS = 3_600_000;

export interface RunningServer {
  /** Base address, e.g. `http://localhost:4000`; GraphQL is below it at `/graphql`. */
  readonly url: string;
  readonly port: number;
  /** Ends subscriptions and requests, then the services and their worker. Safe to call twice. */
  stop(): Promise<void>;
}

/** The address could not be opened. The message says what to do. */
export class ListenError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ListenError';
  }
}

function listen(server: Server, { host, port }: Config): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const why = error.code === 'EADDRINUSE' ? 'another program uses it' : error.message;
      const text = `Cannot listen on ${host}, port ${port}: ${why}. Choose another by GRAFT_HOST and GRAFT_PORT.`;
      reject(new ListenError(text, { cause: error }));
    });
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port));
  });
}

function urlOf(host: string, port: number): string {
  const isAnyAddress = host === '0.0.0.0' || host === '::';
  const name = isAnyAddress ? 'localhost' : host.includes(':') ? `[${host}]` : host;
  return `http://${name}:${port}`;
}

/**
 * Serves GraphQL over HTTP and WebSocket, uploads and downloads on one port. `services` stay the caller's to close; without
 * them they are opened from `config`. Throws `ListenError` where the port cannot be opened.
 */
export async function startServer(options: {
  readonly config: Config;
  readonly services?: Services;
  readonly logger?: Logger;
}): Promise<RunningServer> {
  const { config } = options;
  const logger = options.logger ?? pino({ level: config.logLevel, mixin: requestFields }, pino.destination(2));
  const metrics = new Metrics();
  const services = options.services ?? (await createServices(config, { logger, observer: metrics.observer }));
  metrics.watch(services);
  const closeServices = async () => {
    if (!options.services) await services.close();
  };
  try {
    let isStopping = false;
    let stopped: Promise<void> | null = null;
    const schema = await createSchema();
    const app = express().disable('x-powered-by');
    const httpServer = createServer(app);
    httpServer.requestTimeout = REQUEST_TIMEOUT_MS;
    const apollo = createApollo(schema, httpServer, metrics, config, logger);
    await apollo.start();
    app.use(identify, securityHeaders);
    app.get('/', (_request, response) => response.redirect(GRAPHQL_PATH));
    app.get('/healthz', (_request, response) => void response.json({ status: 'ok' }));
    app.get(
      '/readyz',
      readiness(services, () => isStopping, logger),
    );
    app.get('/metrics', metrics.handler);
    app.post('/uploads', uploads(services, config, logger));
    app.get(['/blobs/:hash', '/blobs/:hash/:name'], blobs(services, logger));
    app.get('/thumbnails/:hash', thumbnails(services, logger));
    app.use(
      GRAPHQL_PATH,
      express.json({ limit: '1mb' }),
      expressMiddleware(apollo, { context: async () => createContext(services, { cache: true }) }),
    );
    app.use(jsonErrors(logger));
    const closeSockets = serveWebSocket(httpServer, GRAPHQL_PATH, schema, services, config, logger);
    const port = await listen(httpServer, config);
    const url = urlOf(config.host, port);
    logger.info({ url }, 'the server is ready');
    const stop = async () => {
      isStopping = true;
      logger.info('the server stops');
      await Promise.all([closeSockets(), apollo.stop()]);
      await closeServices();
    };
    return {
      url,
      port,
      stop: () => {
        stopped ??= stop();
        return stopped;
      },
    };
  } catch (error) {
    await closeServices();
    throw error;
  }
}

import type { RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { Services } from '../services/api.js';

/**
 * GET /readyz: 200 where requests can be answered, 503 where the database or the folder of files is not there or the server is
 * stopping, so that a load balancer sends them elsewhere. The worker need not be up: it is started again by itself.
 */
export function readiness(services: Services, isStopping: () => boolean, logger: Logger): RequestHandler {
  return async (_request, response) => {
    if (isStopping()) {
      response.status(503).json({ status: 'stopping' });
      return;
    }
    try {
      await services.checkReady();
      response.json({ status: 'ready' });
    } catch (error) {
      logger.warn({ err: error }, 'the server is not ready');
      response.status(503).json({ status: 'not ready' });
    }
  };
}

import { randomUUID } from 'node:crypto';
import type { ErrorRequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import { ServiceError, type ServiceErrorCode } from '../services/api.js';

/** A refusal of a request outside of GraphQL, in the shape of a GraphQL response. */
export class HttpError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

const STATUS: Partial<Record<ServiceErrorCode, number>> = {
  NOT_FOUND: 404,
  BAD_USER_INPUT: 400,
  UNSUPPORTED_FILE: 415,
  LIMIT_EXCEEDED: 413,
};

export function sendError(response: Response, error: unknown, logger: Logger): void {
  const known =
    error instanceof HttpError
      ? error
      : error instanceof ServiceError
        ? new HttpError(STATUS[error.code] ?? 500, error.code, error.message)
        : fromBodyParser(error);
  let answer = known;
  if (!answer) {
    const reference = randomUUID();
    logger.error({ err: error, reference }, 'a request failed unexpectedly');
    answer = new HttpError(
      500,
      'INTERNAL_SERVER_ERROR',
      `Something failed inside the server. Its log says more under the reference ${reference}.`,
    );
  }
  if (response.headersSent) {
    // Too late for a status: cut the connection, so that the client does not take half a file for a whole one.
    response.destroy();
    return;
  }
  response.removeHeader('content-length');
  response.removeHeader('content-disposition');
  response.removeHeader('cache-control');
  response.status(answer.status).json({ errors: [{ message: answer.message, extensions: { code: answer.code } }] });
}

/** Errors of Express's own body parser have a status and say whether the message may be shown. */
function fromBodyParser(error: unknown): HttpError | null {
  const { status, type, expose } = error as { status?: unknown; type?: unknown; expose?: unknown };
  if (typeof status !== 'number' || expose !== true) return null;
  if (type === 'entity.parse.failed') return new HttpError(400, 'BAD_REQUEST', 'The body is not valid JSON.');
  if (type === 'entity.too.large')
    return new HttpError(413, 'LIMIT_EXCEEDED', 'The body is larger than 1 MiB. Send files to POST /uploads.');
  return new HttpError(status, 'BAD_REQUEST', (error as Error).message);
}

/** Express answers errors with HTML pages; clients of an API want JSON. */
export function jsonErrors(logger: Logger): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error);
    return sendError(response, error, logger);
  };
}

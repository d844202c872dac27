import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import type { Request, RequestHandler } from 'express';
import type { Logger } from 'pino';
import type { Services, UploadRecord } from '../services/api.js';
import { HttpError, sendError } from './errors.js';

export interface UploadLimits {
  /** Bytes of one file. */
  readonly maxUploadBytes: number;
  /** Files in one request. */
  readonly maxUploadFiles: number;
}

/** Room for the boundaries and headers of the parts. */
const OVERHEAD_PER_FILE = 16 * 1024;
/** A client that goes on sending after a refusal is cut off after this time. */
const DRAIN_MS = 5_000;

/**
 * A form may be sent by any web page without asking; a header of one's own may not. Apollo Server asks for the same
 * headers, so that clients need one rule for both.
 */
function assertPreflighted(request: Request): void {
  if (request.get('apollo-require-preflight') || request.get('x-apollo-operation-name')) return;
  throw new HttpError(
    403,
    'CSRF_PREVENTED',
    'Uploads need the header "Apollo-Require-Preflight: true", so that a web page of somebody else cannot send them.',
  );
}

function assertSize(request: Request, { maxUploadBytes, maxUploadFiles }: UploadLimits): void {
  const declared = Number(request.get('content-length') ?? 0);
  const most = maxUploadFiles * (maxUploadBytes + OVERHEAD_PER_FILE);
  if (declared > most) {
    throw new HttpError(
      413,
      'LIMIT_EXCEEDED',
      `The request has ${declared} bytes; at most ${maxUploadFiles} files of ${maxUploadBytes} bytes each are allowed (GRAFT_MAX_UPLOAD_FILES, GRAFT_MAX_UPLOAD_MB).`,
    );
  }
}

function createParser({ headers }: Request, { maxUploadFiles }: UploadLimits): busboy.Busboy {
  try {
    return busboy({
      headers,
      defParamCharset: 'utf8',
      limits: { files: maxUploadFiles, fields: 16, fieldSize: 1024, parts: maxUploadFiles + 16 },
    });
  } catch (error) {
    throw unreadable(error as Error);
  }
}

function unreadable(error: Error): HttpError {
  return new HttpError(400, 'BAD_REQUEST', `The form could not be read: ${error.message}.`);
}

/** busboy's errors have no code; a connection that breaks off has one. Anything else is the storage's failure. */
function isFormError(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  const { code } = error as NodeJS.ErrnoException;
  return (
    /^(Unexpected end of|Malformed) /.test(error.message) ||
    code === 'ERR_STREAM_PREMATURE_CLOSE' ||
    code === 'ECONNRESET'
  );
}

async function receive(request: Request, services: Services, limits: UploadLimits): Promise<UploadRecord[]> {
  const { maxUploadBytes, maxUploadFiles } = limits;
  const parser = createParser(request, limits);
  const saves: Promise<UploadRecord>[] = [];
  const refusal = new AbortController();
  parser.on('file', (_field, stream, { filename }) => {
    const save = services.saveUpload(filename || 'upload', stream, maxUploadBytes);
    // The first failure ends the whole request; without a handler here a later one would end the process.
    save.catch((error: unknown) => {
      stream.resume();
      refusal.abort(error);
    });
    saves.push(save);
  });
  const tooMany = (what: string) => () =>
    refusal.abort(
      new HttpError(
        413,
        'LIMIT_EXCEEDED',
        `The request has more than ${maxUploadFiles} ${what} (GRAFT_MAX_UPLOAD_FILES).`,
      ),
    );
  parser.on('filesLimit', tooMany('files'));
  parser.on('partsLimit', tooMany('parts'));
  try {
    await pipeline(request, parser, { signal: refusal.signal });
    return await Promise.all(saves);
  } catch (error) {
    await Promise.allSettled(saves);
    const reason: unknown = refusal.signal.aborted ? refusal.signal.reason : error;
    throw isFormError(reason) ? unreadable(reason) : reason;
  }
}

/** POST /uploads: multipart/form-data, any field names, one or more files. Answers `{ uploads: [{ id, ... }] }`. */
export function uploads(services: Services, limits: UploadLimits, logger: Logger): RequestHandler {
  return async (request, response) => {
    try {
      assertPreflighted(request);
      if (!request.is('multipart/form-data')) {
        throw new HttpError(415, 'UNSUPPORTED_FILE', 'Send the files as multipart/form-data.');
      }
      assertSize(request, limits);
      const saved = await receive(request, services, limits);
      if (saved.length === 0) throw new HttpError(400, 'BAD_USER_INPUT', 'The form has no file in it.');
      response
        .status(201)
        .json({ uploads: saved.map(({ id, filename, bytes, hash }) => ({ id, filename, bytes, hash })) });
    } catch (error) {
      response.set('connection', 'close');
      sendError(response, error, logger);
      request.unpipe();
      request.resume();
      setTimeout(() => request.destroy(), DRAIN_MS).unref();
    }
  };
}

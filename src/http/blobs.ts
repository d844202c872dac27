import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import type { RequestHandler, Response } from 'express';
import type { Logger } from 'pino';
import sharp from 'sharp';
import type { Services } from '../services/api.js';
import { HttpError, sendError } from './errors.js';

const THUMBNAIL_SIDE = 160;
const LARGEST_PICTURE_BYTES = 64 * 2 ** 20;
const LARGEST_PICTURE_PIXELS = 100_000_000;

/** Only what browsers show without running anything in it; by content, because names lie. */
function pictureType(head: Uint8Array): string | null {
  const text = Buffer.from(head).toString('latin1');
  if (text.startsWith('\xff\xd8\xff')) return 'image/jpeg';
  if (text.startsWith('\x89PNG\r\n\x1a\n')) return 'image/png';
  if (text.startsWith('GIF8')) return 'image/gif';
  if (text.startsWith('RIFF') && text.slice(8, 12) === 'WEBP') return 'image/webp';
  if (text.slice(4, 12) === 'ftypavif') return 'image/avif';
  return null;
}

function assertHash(hash: unknown): string {
  if (typeof hash === 'string' && /^[0-9a-f]{64}$/.test(hash)) return hash;
  throw new HttpError(
    404,
    'NOT_FOUND',
    'There is no such file: the address ends in a SHA-256 of 64 hexadecimal digits.',
  );
}

/** Contents never change under their hash. Nothing that came from a user may run as a page of this server. */
function setSafeHeaders(response: Response, hash: string, type: string): void {
  response.set({
    'content-type': type,
    'cache-control': 'private, max-age=31536000, immutable',
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'same-origin',
    'x-content-type-options': 'nosniff',
    etag: `"${hash}"`,
  });
}

/** A header can carry ASCII only: RFC 6266 gives the name a second time in UTF-8. */
function disposition(filename: string): string {
  const ascii = filename.replace(/[^\x20-\x7e]|["\\%]/g, '_');
  const utf8 = encodeURIComponent(filename).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename="${ascii}"; filename*=UTF-8''${utf8}`;
}

/** The stream with its first bytes read ahead. */
async function peek(stream: NodeJS.ReadableStream): Promise<{ head: Uint8Array; whole: AsyncGenerator<Uint8Array> }> {
  const iterator = (stream as AsyncIterable<Uint8Array>)[Symbol.asyncIterator]();
  const first = await iterator.next();
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      for (let next = first; !next.done; next = await iterator.next()) yield next.value;
    } finally {
      await iterator.return?.();
    }
  }
  return { head: first.done ? new Uint8Array() : first.value, whole: whole() };
}

/** GET /blobs/HASH and /blobs/HASH/NAME: a picture is shown; anything else, and anything with a name, is downloaded. */
export function blobs(services: Services, logger: Logger): RequestHandler {
  return async (request, response) => {
    try {
      const hash = assertHash(request.params.hash);
      const name = request.params.name;
      const { stream, bytes } = await services.openBlob(hash);
      const { head, whole } = await peek(stream);
      const type = pictureType(head);
      setSafeHeaders(response, hash, type ?? 'application/octet-stream');
      response.set('content-length', String(bytes));
      if (typeof name === 'string') response.set('content-disposition', disposition(name));
      else if (!type) response.set('content-disposition', disposition(hash));
      const isKnown = request.get('if-none-match') === `"${hash}"`;
      if (isKnown) response.status(304).removeHeader('content-length');
      if (isKnown || request.method === 'HEAD') {
        await whole.return(undefined);
        response.end();
        return;
      }
      await pipeline(Readable.from(whole), response);
    } catch (error) {
      // A client that goes away in the middle of a download is nobody's failure.
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STREAM_PREMATURE_CLOSE') sendError(response, error, logger);
    }
  };
}

/** GET /thumbnails/HASH: a stored picture as a JPEG of at most 160 pixels a side. */
export function thumbnails(services: Services, logger: Logger): RequestHandler {
  return async (request, response) => {
    try {
      const hash = assertHash(request.params.hash);
      const { stream, bytes } = await services.openBlob(hash);
      const { head, whole } = await peek(stream);
      if (!pictureType(head) || bytes > LARGEST_PICTURE_BYTES) {
        await whole.return(undefined);
        throw new HttpError(415, 'UNSUPPORTED_FILE', 'This file is not a picture that can be made small.');
      }
      const picture = await buffer(whole);
      const small = await sharp(picture, { limitInputPixels: LARGEST_PICTURE_PIXELS, failOn: 'none' })
        .rotate()
        .resize(THUMBNAIL_SIDE, THUMBNAIL_SIDE, { fit: 'inside', withoutEnlargement: true })
        .flatten({ background: '#ffffff' })
        .jpeg({ quality: 80 })
        .toBuffer()
        .catch((error: unknown) => {
          throw new HttpError(415, 'UNSUPPORTED_FILE', `The picture cannot be read: ${(error as Error).message}.`);
        });
      setSafeHeaders(response, hash, 'image/jpeg');
      response.send(small);
    } catch (error) {
      sendError(response, error, logger);
    }
  };
}

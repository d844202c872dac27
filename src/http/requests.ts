import { AsyncLocalStorage } from 'node:async_hooks';
import { randomUUID } from 'node:crypto';
import type { RequestHandler } from 'express';

const current = new AsyncLocalStorage<{ readonly request: string }>();

const ID = /^[\w.-]{1,64}$/;

/** The id of the request that is being answered, for every line of the log that is written meanwhile. */
export const requestFields = (): { readonly request?: string } => current.getStore() ?? {};

/** Gives each request an id, its own `x-request-id` where that is short and plain, and names it in the answer. */
export const identify: RequestHandler = (request, response, next) => {
  const given = request.get('x-request-id');
  const id = given !== undefined && ID.test(given) ? given : randomUUID();
  response.set('x-request-id', id);
  current.run({ request: id }, next);
};

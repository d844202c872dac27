import { ServiceError, type Services } from '../services/api.js';
import { createLoaders, type Loaders } from './loaders.js';

/** What a resolver gets: one of these for each operation. */
export interface Context {
  readonly services: Services;
  readonly loaders: Loaders;
}

/** Queries and mutations remember what they loaded; operations over WebSocket may live for hours and do not. */
export function createContext(services: Services, options: { readonly cache: boolean }): Context {
  return { services, loaders: createLoaders(services, options) };
}

/** The record, or a NOT_FOUND that names what was asked for. */
export function found<T>(record: T | null | undefined, what: string, id: string): T {
  if (record) return record;
  throw new ServiceError(
    'NOT_FOUND',
    `There is no ${what} with the id ${JSON.stringify(id)}. It may have been deleted.`,
  );
}

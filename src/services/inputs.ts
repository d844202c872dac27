import { ServiceError } from './api.js';

const MAX_NAME = 200;
/** Of random weights where nobody says one. */
export const DEFAULT_SEED = 1;

export function badInput(message: string): ServiceError {
  return new ServiceError('BAD_USER_INPUT', message);
}

export function notFound(what: string, id: string): ServiceError {
  return new ServiceError('NOT_FOUND', `There is no ${what} ${JSON.stringify(id.slice(0, 80))}.`);
}

/** A name as a person may give it, without white space at its ends. */
export function checkName(name: string): string {
  const trimmed = name.trim();
  if (trimmed.length < 1 || trimmed.length > MAX_NAME || /\p{Cc}/u.test(trimmed)) {
    throw badInput(
      `A name has 1 to ${MAX_NAME} characters and no control characters; got ${JSON.stringify(name.slice(0, 80))}.`,
    );
  }
  return trimmed;
}

export function checkSeed(seed: number): number {
  if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
    throw badInput(`seed is an integer from 0 to 4294967295; got ${seed}.`);
  }
  return seed;
}

/** The file's own name, for people to read; nothing uses it as a path. */
export function displayName(filename: string): string {
  const base = filename.split(/[\\/]/).at(-1) ?? '';
  return base.replace(/\p{Cc}/gu, '').slice(0, 255) || 'file';
}

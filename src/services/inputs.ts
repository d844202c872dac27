import { ServiceError } from './api.js';

const MAX_NAME = 200;

export function badInput(message: string): ServiceError {
  return new ServiceError('BAD_USER_INPUT', message);
}

export function notFound(what: string, id: string): ServiceError {
  return new ServiceError('NOT_FOUND', `There is no ${what} ${JSON.stringify(id.slice(0, 80))}.`);
}

/** A name as a person may give it, without white space at its ends. */
export function checkName(name: string): string {
  const trimmed = name.trim();
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (trimmed.length < 1 || trimmed.length > MAX_NAME || /[\u0000-\u001f\u007f]/.test(trimmed)) {
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
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  return base.replace(/[\u0000-\u001f\u007f]/g, '').slice(0, 255) || 'file';
}

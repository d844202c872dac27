import { ModelError } from '../../errors.js';

export type JsonObject = Readonly<Record<string, unknown>>;

export function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `Keras model: ${message}`);
}

export function asObject(value: unknown, what: string): JsonObject {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) fail(`${what} is not an object.`);
  return value as JsonObject;
}

export function asList(value: unknown, what: string): readonly unknown[] {
  return Array.isArray(value) ? value : fail(`${what} is not a list.`);
}

export function asText(value: unknown, what: string): string {
  return typeof value === 'string' ? value : fail(`${what} is not a text.`);
}

/** A value for a message, cut short; nesting that is too deep to be written down is left out. */
export function show(value: unknown): string {
  try {
    return (JSON.stringify(value) ?? 'missing').slice(0, 100);
  } catch {
    return typeof value;
  }
}

/**
 * The fields of an input that were given, as a plain object. GraphQL lets clients say null for "not given"; services know
 * only absence.
 */
export function given<T extends object>(input: T): T {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== null && value !== undefined)) as T;
}

import { readFileSync } from 'node:fs';

/** Graft's version, from package.json two folders above the built file. */
export function graftVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

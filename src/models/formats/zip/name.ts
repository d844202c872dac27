import { fail, refuse } from './limits.js';

const MAX_NAME_BYTES = 1024;
const FORBIDDEN = /[\p{Cc}\\]/u;
const DRIVE = /^[A-Za-z]:/;

/** The path of an entry: relative, with `/` between its parts, none of them `.`, `..` or empty. `/` ends a folder. */
export function entryName(bytes: Uint8Array): string {
  if (bytes.length === 0 || bytes.length > MAX_NAME_BYTES) {
    fail(`an entry's name has ${bytes.length} bytes; 1 to ${MAX_NAME_BYTES} are allowed.`);
  }
  let name: string;
  try {
    name = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    refuse("an entry's name is not UTF-8. Pack the archive again with UTF-8 names.");
  }
  const shown = JSON.stringify(name.slice(0, 120));
  if (FORBIDDEN.test(name)) fail(`the name ${shown} has a backslash or a control character.`);
  const parts = (name.endsWith('/') ? name.slice(0, -1) : name).split('/');
  if (DRIVE.test(name) || parts.some((part) => part === '' || part === '.' || part === '..')) {
    fail(`the name ${shown} leads out of the archive or is no plain path.`);
  }
  return name;
}

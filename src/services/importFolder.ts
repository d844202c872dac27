import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { badInput } from './inputs.js';

/**
 * The real path of a folder that a client named, absolute or relative to `root`. Throws BAD_USER_INPUT for everything outside
 * of `root`, links that lead out of it included; what is outside and what does not exist gives the same message.
 */
export async function resolveImportFolder(root: string | null, folder: string): Promise<string> {
  if (root === null) {
    throw badInput(
      'This server makes data sets from uploads only. Its operator may set GRAFT_IMPORT_ROOT to a folder to import from.',
    );
  }
  const refused = badInput(
    `${JSON.stringify(folder.slice(0, 200))} is not a folder inside of this server's import folder. ` +
      'Name one that is, by its path from there.',
  );
  if (folder.includes('\0')) throw refused;
  const realRoot = await realpath(root);
  try {
    const real = await realpath(resolve(realRoot, folder));
    const path = relative(realRoot, real);
    const isInside = path === '' || (path !== '..' && !path.startsWith(`..${sep}`) && !isAbsolute(path));
    if (isInside && (await stat(real)).isDirectory()) return real;
  } catch {
    throw refused;
  }
  throw refused;
}

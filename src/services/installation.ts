import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseZoo, type ZooEntry } from '../models/zoo/manifest.js';

/** Files that come with Graft's own package and its dependencies. */
export interface Installation {
  readonly version: string;
  readonly zoo: readonly ZooEntry[];
  /** Reads a file of an installed npm package; `path` begins with the package's name. */
  readPackageFile(path: string): Promise<Uint8Array>;
  /** Reads a file of Graft's own folder `weights`. */
  readWeightsFile(path: string): Promise<Uint8Array>;
}

/** The folders from this file's upward. */
function* parents(): Generator<string> {
  let folder = dirname(fileURLToPath(import.meta.url));
  for (;;) {
    yield folder;
    const above = dirname(folder);
    if (above === folder) return;
    folder = above;
  }
}

/** Where `path` exists in this file's folder or the nearest one above it, as Node finds packages. */
function nearest(path: string): string {
  for (const folder of parents()) {
    const candidate = join(folder, path);
    if (existsSync(candidate)) return candidate;
  }
  throw new Error(`${path} is missing from this installation of Graft. Install it again: npm ci`);
}

export async function openInstallation(): Promise<Installation> {
  const { version } = JSON.parse(await readFile(nearest('package.json'), 'utf8')) as { version: string };
  const zoo = parseZoo(JSON.parse(await readFile(nearest(join('weights', 'zoo.json')), 'utf8')));
  return {
    version,
    zoo,
    readPackageFile: async (path) => readFile(nearest(join('node_modules', path))),
    readWeightsFile: async (path) => readFile(nearest(join('weights', path))),
  };
}

import { createHash } from 'node:crypto';
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../arguments.js';

/** The peers' package.json, lockfile and loader lie in the repository, beside the sources of this file. */
const sources = fileURLToPath(new URL('../../../bench/peers/', import.meta.url));
const FILES = ['package.json', 'package-lock.json', 'load.mjs'];

/** Where a lockfile's packages are installed: a cache folder, one for each lockfile. */
export function peersFolder(env: NodeJS.ProcessEnv = process.env): string {
  const hash = createHash('sha256')
    .update(readFileSync(join(sources, 'package-lock.json')))
    .digest('hex');
  return join(env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'graft', `bench-peers-${hash.slice(0, 16)}`);
}

/** Installs the peers from their lockfile where they are not yet, and returns the folder. Needs the npm registry once. */
export function installPeers(say: (text: string) => void): string {
  if (!existsSync(join(sources, 'package-lock.json'))) {
    throw new UsageError(
      '--peers works in a copy of the repository only: the peers are installed by npm, from its registry.',
    );
  }
  const folder = peersFolder();
  const done = join(folder, 'installed');
  if (existsSync(done)) return folder;
  say(`Installing the peers into ${folder} (once, some 400 MB) ...`);
  mkdirSync(folder, { recursive: true });
  for (const name of FILES) copyFileSync(join(sources, name), join(folder, name));
  // onnxruntime-node's own install script would download libraries for CUDA.
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', ONNXRUNTIME_NODE_INSTALL_CUDA: 'skip' };
  const args = ['ci', '--ignore-scripts', '--no-audit', '--no-fund'];
  const npm = process.env.npm_execpath;
  const options = { cwd: folder, env, stdio: ['ignore', 2, 2] as ['ignore', 2, 2] };
  const { status } = npm
    ? spawnSync(process.execPath, [npm, ...args], options)
    : spawnSync('npm', args, { ...options, shell: process.platform === 'win32' });
  if (status !== 0) throw new Error(`npm could not install the peers in ${folder}; its message is above.`);
  writeFileSync(done, '');
  return folder;
}

// Node's version, the dependencies from the lockfile, and the build: each done only when it is not already done.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root, runNpm, SetupError, say } from './process.mjs';

const OLDEST_NODE = [20, 19];

export function checkNode() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major > OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor >= OLDEST_NODE[1])) return;
  throw new SetupError(
    `Node ${process.versions.node} is too old: Graft needs ${OLDEST_NODE.join('.')} or newer. See https://nodejs.org/en/download`,
  );
}

const sha256 = (data) => createHash('sha256').update(data).digest('hex');

/** True where node_modules holds what the lockfile says; npm keeps its own record of what it installed. */
function installedMatchesLock(lock) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  return Object.entries(JSON.parse(lock).packages).every(
    ([path, wanted]) => path === '' || wanted.optional || installed[path]?.version === wanted.version,
  );
}

export function ensureDependencies() {
  const lock = readFileSync(join(root, 'package-lock.json'), 'utf8');
  const stamp = join(root, 'node_modules', '.graft-lock');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === sha256(lock)) return;
  if (!installedMatchesLock(lock)) {
    say('Installing the dependencies from package-lock.json (npm ci) ...');
    if (runNpm(['ci', '--no-audit', '--no-fund']) !== 0) {
      throw new SetupError(
        'npm ci failed; its message is above. It needs the npm registry: check the network, then try again.',
      );
    }
  }
  writeFileSync(stamp, sha256(lock));
}

const BUILT_FROM = ['src', 'test', 'bench', 'tsconfig.json', 'scripts/embed-wgsl.mjs', 'package-lock.json'];

/** One hash over the names and contents of everything that the build reads. */
function hashOfSources() {
  const hash = createHash('sha256');
  for (const place of BUILT_FROM) {
    const path = join(root, place);
    if (!existsSync(path)) continue;
    const files = /\.\w+$/.test(place)
      ? [place]
      : readdirSync(path, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1))
          .sort();
    for (const file of files) hash.update(`${file}\0${sha256(readFileSync(join(root, file)))}\n`);
  }
  return hash.digest('hex');
}

export function ensureBuild() {
  const dist = join(root, 'dist');
  const stamp = join(dist, '.graft-build');
  const wanted = hashOfSources();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  say('Building ...');
  // From empty, so that no output of a file that is gone stays behind (a deleted test would go on running).
  rmSync(dist, { recursive: true, force: true });
  if (runNpm(['run', '--silent', 'build']) !== 0) {
    throw new SetupError('The build failed; its message is above.');
  }
  mkdirSync(dist, { recursive: true });
  writeFileSync(stamp, wanted);
}

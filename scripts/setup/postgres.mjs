// A PostgreSQL server for the tests: a data folder of its own that is removed afterwards, on a free port of loopback.
import { spawn } from 'node:child_process';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { runQuietly, SetupError } from './process.mjs';

/** Debian's packages keep the server's programs away from the PATH. */
const DEBIAN = '/usr/lib/postgresql';

/** The folder of initdb and postgres; null where PostgreSQL is not installed. */
export function findPostgres() {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(DEBIAN, version, 'bin')),
    ...(process.env.PATH ?? '').split(delimiter),
  ];
  return folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name)))) ?? null;
}

/** PostgreSQL refuses to run as root: then it runs as the user that the package made, or as nobody. */
function user() {
  if (process.getuid?.() !== 0) return {};
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((flag) => Number(runQuietly('id', [flag, name]).stdout));
    if (uid > 0) return { uid, gid };
  }
  throw new SetupError('PostgreSQL does not run as root, and there is no user postgres or nobody.');
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

const START_MS = 30_000;

/** Resolves once the server takes connections. */
function untilReady(child, log) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new SetupError(`PostgreSQL did not start in time:\n${log()}`)), START_MS);
    child.on('exit', () => reject(new SetupError(`PostgreSQL ended at once:\n${log()}`)));
    child.stderr.on('data', () => {
      if (!log().includes('ready to accept connections')) return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Starts a server; null where none is installed. `stop` ends it and removes what it wrote. */
export async function startPostgres() {
  const programs = findPostgres();
  if (!programs) return null;
  const owner = user();
  const folder = mkdtempSync(join(tmpdir(), 'graft-postgres-'));
  const secret = join(folder, 'password');
  const data = join(folder, 'data');
  writeFileSync(secret, 'graft-test');
  if (owner.uid !== undefined) for (const path of [folder, secret]) chownSync(path, owner.uid, owner.gid);
  const options = { cwd: folder, ...owner };
  const made = runQuietly(
    join(programs, 'initdb'),
    ['-D', data, '-U', 'graft', '-A', 'scram-sha-256', `--pwfile=${secret}`, '-E', 'UTF8', '--locale=C', '--no-sync'],
    options,
  );
  if (made.code !== 0) throw new SetupError(`initdb failed:\n${made.stderr}`);
  const port = await freePort();
  const settings = {
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'off',
    max_connections: 200,
  };
  const child = spawn(
    join(programs, 'postgres'),
    ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])],
    { ...options, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let text = '';
  child.stderr.on('data', (chunk) => {
    text = (text + chunk).slice(-20_000);
  });
  try {
    await untilReady(child, () => text);
  } catch (error) {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  return {
    url: `postgres://graft:graft-test@127.0.0.1:${port}/postgres`,
    // SIGINT: "fast" shutdown, which ends open sessions.
    stop: () =>
      new Promise((resolve) => {
        child.on('exit', () => {
          rmSync(folder, { recursive: true, force: true });
          resolve();
        });
        child.kill('SIGINT');
      }),
  };
}

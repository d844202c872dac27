import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { parse } from 'yaml';
import { loadConfig, SETTINGS } from '../src/config.js';

const read = (path: string): string => readFileSync(join('deploy', path), 'utf8');
const root = mkdtempSync(join(tmpdir(), 'graft-deploy-'));
after(() => rmSync(root, { recursive: true, force: true }));

const VARIABLES = new Set(Object.values(SETTINGS).map(({ variable }) => variable));
/** Of other programs. */
const FOREIGN = ['NODE_ENV', 'XDG_RUNTIME_DIR', 'XDG_CACHE_HOME'];

function checkVariables(names: readonly string[]): void {
  assert.deepEqual(
    names.filter((name) => !VARIABLES.has(name) && !FOREIGN.includes(name)),
    [],
  );
}

/** KEY=value words of a line. */
const environment = (text: string): Record<string, string> =>
  Object.fromEntries(text.split(/\s+/).map((word) => [word.split('=')[0] ?? '', word.slice(word.indexOf('=') + 1)]));

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  assert.ok(address !== null && typeof address === 'object');
  return address.port;
}

describe('the Dockerfile', () => {
  const lines = read('Dockerfile')
    .replace(/^#.*\n/gm, '')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter((line) => line !== '');
  const instructions = lines.map((line) => ({
    name: line.split(' ')[0] ?? '',
    rest: line.slice(line.indexOf(' ') + 1),
  }));
  const lastStage = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'));
  const one = (name: string): string => {
    const found = lastStage.filter((instruction) => instruction.name === name);
    assert.equal(found.length, 1, name);
    return found[0]?.rest ?? '';
  };
  const command = JSON.parse(one('CMD')) as string[];
  const probe = JSON.parse(one('HEALTHCHECK').replace(/^.*?CMD /, '')) as string[];
  const env = environment(one('ENV'));

  test('copies files that exist and that its .dockerignore lets through', () => {
    const allowed = read('Dockerfile.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = instructions
      .filter(({ name, rest }) => name === 'COPY' && !rest.startsWith('--from='))
      .flatMap(({ rest }) => rest.split(' ').slice(0, -1));
    assert.ok(copied.length > 0);
    for (const path of copied) {
      assert.ok(existsSync(path), path);
      assert.ok(allowed.includes(path), `${path} is ignored`);
    }
    assert.deepEqual(
      allowed.filter((path) => !copied.includes(path)),
      [],
    );
  });

  test('runs scripts that package.json has, and ends without root', () => {
    const { scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as { scripts: Record<string, string> };
    const called = lines.flatMap((line) => [...line.matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? ''));
    assert.deepEqual(called, ['build']);
    for (const name of called) assert.ok(name in scripts, name);
    assert.equal(one('USER'), 'node');
  });

  test('sets variables that Graft knows, to values that it takes', () => {
    checkVariables(Object.keys(env));
    const config = loadConfig(env);
    assert.equal(config.dataDir, one('VOLUME'));
    assert.equal(String(config.port), one('EXPOSE'));
  });

  test('installs the driver that the set-up installs, on a Debian whose Mesa suits', async () => {
    const setup = new URL('../../scripts/setup/aptDriver.mjs', import.meta.url).href;
    const { PACKAGES } = (await import(setup)) as { PACKAGES: string[] };
    const install = lastStage.find(({ rest }) => rest.includes('apt-get install'))?.rest ?? '';
    for (const name of PACKAGES) assert.ok(install.includes(` ${name} `), name);
    assert.ok(instructions.filter(({ name }) => name === 'FROM').every(({ rest }) => rest.includes('-trixie-slim')));
  });

  test('its last stage holds all that a server needs besides packages, and the health check tells whether it answers', async () => {
    const folder = join(root, 'app');
    for (const { rest } of lastStage.filter(({ name }) => name === 'COPY')) {
      const words = rest.split(' ').filter((word) => !word.startsWith('--'));
      for (const source of words.slice(0, -1)) {
        const path = source.replace(/^\/build\//, '');
        const to = words.length === 2 && words[1] !== './' ? (words[1] as string) : path;
        mkdirSync(join(folder, to, '..'), { recursive: true });
        if (path === 'node_modules') symlinkSync(join(process.cwd(), path), join(folder, to), 'junction');
        else cpSync(path, join(folder, to), { recursive: true });
      }
    }
    const settings = {
      ...process.env,
      ...env,
      GRAFT_HOST: '127.0.0.1',
      GRAFT_PORT: String(await freePort()),
      GRAFT_DATA_DIR: join(root, 'data'),
      XDG_RUNTIME_DIR: root,
      DATABASE_URL: '',
    };
    const run = ([, ...args]: readonly string[]): ChildProcess =>
      spawn(process.execPath, args, { cwd: folder, env: settings, stdio: ['ignore', 'pipe', 'ignore'] });
    const exit = async (child: ChildProcess): Promise<unknown> => (await once(child, 'exit'))[0];
    assert.equal(command[0], 'node');
    assert.equal(probe[0], 'node');
    assert.equal(await exit(run(probe)), 1, 'nothing answers yet');
    const server = run(command);
    const ended = exit(server);
    try {
      const ready = new Promise((resolve) =>
        server.stdout?.on('data', (text) => /is ready/.test(text) && resolve(null)),
      );
      await Promise.race([ready, setTimeout(30_000, null, { ref: false }), ended]);
      assert.equal(await exit(run(probe)), 0);
    } finally {
      server.kill('SIGTERM');
    }
    assert.equal(await ended, 0);
  });
});

interface Service {
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly environment: Record<string, string>;
  readonly ports?: readonly string[];
  readonly volumes: readonly string[];
  readonly depends_on?: Record<string, { readonly condition: string }>;
  readonly healthcheck?: object;
}

describe('the compose file', () => {
  const { services, volumes } = parse(read('compose.yaml')) as {
    services: Record<'server' | 'postgres', Service>;
    volumes: Record<string, null>;
  };

  test('builds the Dockerfile, and publishes the port on loopback only', () => {
    const { build, ports } = services.server;
    assert.ok(build && existsSync(join('deploy', build.context, build.dockerfile)));
    assert.deepEqual(ports, ['127.0.0.1:4000:4000']);
    assert.equal(services.postgres.ports, undefined);
  });

  test('gives the server the address of its PostgreSQL, with a password that stands nowhere in the file', () => {
    checkVariables(Object.keys(services.server.environment));
    const secret = /\$\{POSTGRES_PASSWORD:\?[^}]+\}/;
    const { POSTGRES_USER, POSTGRES_DB, POSTGRES_PASSWORD } = services.postgres.environment;
    assert.match(POSTGRES_PASSWORD ?? '', new RegExp(`^${secret.source}$`));
    const address = (services.server.environment.DATABASE_URL ?? '').replace(secret, 'secret');
    const { databaseUrl } = loadConfig({ DATABASE_URL: address });
    assert.equal(databaseUrl, `postgres://${POSTGRES_USER}:secret@postgres:5432/${POSTGRES_DB}`);
  });

  test('names services and volumes that there are', () => {
    for (const [name, { depends_on = {}, volumes: mounted }] of Object.entries(services)) {
      for (const volume of mounted) assert.ok((volume.split(':')[0] ?? '') in volumes, `${name}: ${volume}`);
      for (const [other, { condition }] of Object.entries(depends_on)) {
        assert.ok(other in services, other);
        assert.ok(condition !== 'service_healthy' || services[other as 'postgres'].healthcheck, other);
      }
    }
    assert.ok(services.server.volumes.includes(`data:${/^VOLUME (.+)$/m.exec(read('Dockerfile'))?.[1]}`));
  });
});

describe('the systemd unit', () => {
  const unit = read('graft.service');
  const setting = (name: string): string => new RegExp(`^${name}=(.*)$`, 'm').exec(unit)?.[1] ?? '';

  test('starts the command of the image, with its data in the folders that it gets', () => {
    const started = setting('ExecStart').replace('/usr/bin/', '').replace('/opt/graft/', '');
    assert.deepEqual(started.split(' '), JSON.parse(/^CMD (\[.*)$/m.exec(read('Dockerfile'))?.[1] ?? ''));
    assert.ok(existsSync('dist/src/cli.js'));
    assert.ok(existsSync(setting('Documentation').replace('file:/opt/graft/', '')));
    const env = environment(setting('Environment'));
    checkVariables(Object.keys(env));
    assert.equal(env.GRAFT_DATA_DIR, `/var/lib/${setting('StateDirectory')}`);
    assert.equal(env.XDG_CACHE_HOME, `/var/cache/${setting('CacheDirectory')}`);
    assert.equal(env.XDG_RUNTIME_DIR, `/run/${setting('RuntimeDirectory')}`);
  });

  test('leaves the server and its worker more time than they take for stopping', () => {
    assert.ok(Number(setting('TimeoutStopSec')) > 2 * Number(SETTINGS.stopTimeoutMs.fallback));
  });

  const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;
  test('is a unit that systemd understands whole', { skip: hasSystemd ? false : 'systemd is not installed' }, () => {
    const verify = (text: string): string => {
      // The programs and folders that it names are this machine's.
      const file = join(root, 'graft.service');
      writeFileSync(file, text.replace('/usr/bin/node', process.execPath).replaceAll('/opt/graft', process.cwd()));
      const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
      return `${status}: ${stderr
        .split('\n')
        .filter((line) => line.includes('graft.service'))
        .join('\n')}`;
    };
    assert.equal(verify(unit), '0: ');
    assert.match(verify(unit.replace('NoNewPrivileges', 'NoSuchSetting')), /NoSuchSetting/);
  });
});

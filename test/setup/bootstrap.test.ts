import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { platform, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';

/** A small project of its own around Graft's real set-up scripts, whose build and tests leave traces. */
describe('the set-up', () => {
  const root = mkdtempSync(join(tmpdir(), 'graft-setup-'));
  const trace = join(root, 'trace.txt');
  const traced = (): string[] => (existsSync(trace) ? readFileSync(trace, 'utf8').trim().split('\n') : []);
  const write = (path: string, text: string) => writeFileSync(join(root, path), text);

  before(() => {
    cpSync('scripts', join(root, 'scripts'), { recursive: true });
    cpSync('package-lock.json', join(root, 'package-lock.json'));
    symlinkSync(join(process.cwd(), 'node_modules'), join(root, 'node_modules'), 'junction');
    for (const folder of ['src', 'test', 'home']) mkdirSync(join(root, folder));
    write('package.json', JSON.stringify({ name: 'small', type: 'module', scripts: { build: 'node build.mjs' } }));
    write('tsconfig.json', '{}');
    write('src/a.ts', 'one');
    write(
      'build.mjs',
      `import { appendFileSync, cpSync, mkdirSync, readFileSync } from 'node:fs';
      appendFileSync('trace.txt', 'built\\n');
      if (readFileSync('src/a.ts', 'utf8') === 'broken') process.exit(3);
      cpSync('test', 'dist/test', { recursive: true });
      mkdirSync('dist/src', { recursive: true });
      cpSync('test/cli.js', 'dist/src/cli.js');`,
    );
    write('test/cli.js', 'console.log(JSON.stringify(process.argv.slice(2)));');
    for (const name of ['one', 'two']) {
      mkdirSync(join(root, 'test', name));
      const source = `import { test } from 'node:test'; import { appendFileSync } from 'node:fs';
        test('first', () => appendFileSync('trace.txt', '${name} first\\n'));
        test('second', () => appendFileSync('trace.txt', '${name} second\\n'));`;
      write(`test/${name}/${name}.test.js`, source);
    }
  });
  beforeEach(() => rmSync(trace, { force: true }));
  after(() => rmSync(root, { recursive: true, force: true }));

  function bootstrap(args: readonly string[], env: NodeJS.ProcessEnv = {}) {
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
    return spawnSync(process.execPath, ['scripts/bootstrap.mjs', ...args], {
      cwd: root,
      encoding: 'utf8',
      env: { ...inherited, CI: 'true', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }

  test('builds once, and again after a source changed, from an empty folder', () => {
    const first = bootstrap(['setup']);
    assert.equal(first.status, 0, first.stderr);
    assert.match(first.stderr, /WebGPU adapter: \S+/);
    assert.deepEqual(traced(), ['built']);
    write('dist/test/stale.test.js', 'throw new Error()');
    assert.equal(bootstrap(['setup']).status, 0);
    assert.deepEqual(traced(), ['built'], 'nothing changed, nothing is built');
    write('src/a.ts', 'two');
    assert.equal(bootstrap(['setup']).status, 0);
    assert.deepEqual(traced(), ['built', 'built']);
    assert.ok(!existsSync(join(root, 'dist/test/stale.test.js')));
  });

  test('a failed build ends with its exit code told, and is tried again', () => {
    write('src/a.ts', 'broken');
    for (let attempt = 1; attempt <= 2; attempt++) {
      const { status, stderr } = bootstrap(['setup']);
      assert.equal(status, 1);
      assert.match(stderr, /The build failed/);
      assert.equal(traced().length, attempt);
    }
    write('src/a.ts', 'three');
    assert.equal(bootstrap(['setup']).status, 0);
  });

  test('`npm test` runs all tests, or those that are named, with options passed on', () => {
    assert.equal(bootstrap(['test']).status, 0);
    assert.deepEqual(traced().sort(), ['one first', 'one second', 'two first', 'two second']);
    rmSync(trace);
    assert.equal(bootstrap(['test', 'test/two', '--test-name-pattern=second']).status, 0);
    assert.deepEqual(traced(), ['two second']);
    const missing = bootstrap(['test', 'test/three']);
    assert.equal(missing.status, 1);
    assert.match(missing.stderr, /There is no test\/three/);
  });

  test('a failing test fails the command', () => {
    write(
      'test/one/failing.test.js',
      "import { test } from 'node:test'; test('no', () => { throw new Error('no'); });",
    );
    assert.equal(bootstrap(['test', 'test/one']).status, 1);
    rmSync(join(root, 'test/one/failing.test.js'));
  });

  test('`npm start` and `npx graft` pass their arguments to the client', () => {
    assert.equal(bootstrap(['start', '--x']).stdout, '["start","--x"]\n');
    assert.equal(bootstrap(['graft', 'doctor', '--json']).stdout, '["doctor","--json"]\n');
    const unknown = bootstrap(['nonsense']);
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /Unknown command nonsense/);
  });

  const onLinux = { skip: platform() === 'linux' ? false : 'only Linux installs a driver' };

  /** A PATH on which the programs that could change the system only leave a trace and fail. */
  function harmlessPath(): string {
    const folder = join(root, 'bin');
    mkdirSync(folder, { recursive: true });
    for (const name of ['sh', 'sudo', 'apt-get', 'dpkg-deb']) {
      const file = join(folder, name);
      const works = name === 'apt-get' || name === 'dpkg-deb' ? '[ "$1" = --version ] && exit 0' : 'true';
      writeFileSync(file, `#!/bin/sh\n${works}\necho "${name} $*" >> '${trace}'\nexit 1\n`);
      chmodSync(file, 0o755);
    }
    return folder;
  }

  test('nothing is installed where an adapter answers', onLinux, () => {
    const { status } = bootstrap(['setup'], { PATH: harmlessPath() });
    assert.equal(status, 0);
    assert.deepEqual(traced(), []);
  });

  test('where none answers and nothing can be installed, it says the one command to type', onLinux, () => {
    const none = { VK_DRIVER_FILES: '/nonexistent.json', VK_ICD_FILENAMES: '/nonexistent.json' };
    const home = { HOME: join(root, 'home'), XDG_CACHE_HOME: join(root, 'home', '.cache') };
    const { status, stderr } = bootstrap(['setup'], { ...none, ...home, PATH: harmlessPath() });
    assert.equal(status, 1);
    assert.match(stderr, /No WebGPU adapter answers/);
    assert.match(stderr, /one command.*\n\n {2}.*apt-get install .*mesa-vulkan-drivers/);
    // As root it tries to install, else without root to unpack; both say so first, and both fail here.
    assert.match(stderr, /Installing Mesa's software Vulkan driver|Without root: downloading mesa-vulkan-drivers/);
    assert.match(traced().join('\n'), /mesa-vulkan-drivers|update/);
    assert.ok(!existsSync(join(root, 'home', '.cache', 'graft', 'mesa')), 'nothing half-done is left');
  });
});

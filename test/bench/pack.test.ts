import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';

const canPack = process.platform === 'linux' && process.arch === 'x64';

describe('npm run bench:pack', () => {
  const place = mkdtempSync(join(tmpdir(), 'graft-pack-test-'));
  const home = mkdtempSync(join(tmpdir(), 'graft-pack-home-'));
  const folder = join(place, 'packed');
  after(() => {
    for (const made of [place, home]) rmSync(made, { recursive: true, force: true });
  });

  const pack = (target: string) =>
    spawnSync(process.execPath, ['scripts/bootstrap.mjs', 'bench:pack', target], { encoding: 'utf8' });
  /** Nothing of this environment but where the software driver lies. */
  const run = (...args: string[]) => {
    const { VK_DRIVER_FILES, VK_ICD_FILENAMES, LD_LIBRARY_PATH } = process.env;
    const env = { PATH: '/usr/bin:/bin', HOME: home, VK_DRIVER_FILES, VK_ICD_FILENAMES, LD_LIBRARY_PATH };
    return spawnSync(join(folder, 'run'), args, { cwd: home, env, encoding: 'utf8' });
  };

  if (!canPack) {
    test('elsewhere than on Linux on x86-64 it says that it packs there only', () => {
      const { status, stderr } = pack(folder);
      assert.equal(status, 1);
      assert.match(stderr, /packs for Linux on x86-64/);
    });
    return;
  }

  test('a folder of other files is left alone', () => {
    writeFileSync(join(home, 'precious'), '');
    const { status, stderr } = pack(home);
    assert.equal(status, 1);
    assert.match(stderr, /has other files in it/);
    assert.deepEqual(readdirSync(home), ['precious']);
  });

  test('makes a folder of less than 60 MB that times and tests the kernels by itself', () => {
    const packed = pack(folder);
    assert.equal(packed.status, 0, packed.stderr);
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    assert.ok(bytes < 60e6, `${bytes} bytes`);

    const bench = run('bench', '--only', 'softmax', '--json');
    assert.equal(bench.status, 0, bench.stderr);
    const report = JSON.parse(bench.stdout.trim().split('\n').at(-1) as string);
    assert.equal(report.workloads[0].name, 'softmax-1024x1000');
    assert.equal(report.workloads[0].isRight, true);

    const tests = run('test', 'optimizer');
    assert.equal(tests.status, 0, tests.stdout);
    assert.match(tests.stdout, /# fail 0/);
  });

  test('says what it takes, and that other engines are not packed', () => {
    const [nothing, unknown, peers] = [run(), run('test', 'no such file'), run('bench', '--peers')];
    assert.deepEqual([nothing.status, unknown.status, peers.status], [2, 2, 2]);
    assert.match(nothing.stderr, /\.\/run bench/);
    assert.match(unknown.stderr, /No test file/);
    assert.match(peers.stderr, /--peers works in a copy of the repository only/);
  });
});

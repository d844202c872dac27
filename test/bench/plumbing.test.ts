import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { parseArguments, selectByName, UsageError } from '../../bench/arguments.js';
import { floorMs } from '../../bench/ceiling.js';
import { measureCompilation } from '../../bench/compilation.js';
import { compare, sample } from '../../bench/reference/samples.js';
import { geometricMeans, type Report } from '../../bench/report.js';
import { geometricMean, median } from '../../bench/statistics.js';
import { time } from '../../bench/timing.js';
import { workloads } from '../../bench/workloads/catalogue.js';

const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));

describe('arguments', () => {
  test('defaults: everything, a fresh seed each time', () => {
    const [first, second] = [parseArguments([]), parseArguments([])];
    assert.deepEqual({ ...first, seed: 0 }, { json: false, only: [], peers: false, list: false, seed: 0 });
    assert.notEqual(first.seed, second.seed);
  });

  test('all given', () => {
    const given = parseArguments(['--json', '--only', 'matmul', '--only=conv', '--peers', '--seed', '7']);
    assert.deepEqual(given, { json: true, only: ['matmul', 'conv'], peers: true, list: false, seed: 7 });
  });

  test('what makes no sense is refused with the usage', () => {
    for (const wrong of [['--seed', '-1'], ['--seed', 'x'], ['--fast'], ['matmul'], ['--only']]) {
      assert.throws(
        () => parseArguments(wrong),
        (error) => error instanceof UsageError && /npm run bench/.test(error.message),
      );
    }
  });

  test('names select by their parts; a part of none is refused with the names', () => {
    const names = (parts: string[]) => selectByName(workloads(), parts).map(({ name }) => name);
    assert.deepEqual(names(['matmul']), ['matmul-512', 'matmul-1024']);
    assert.equal(names([]).length, workloads().length);
    assert.throws(() => names(['matmul', 'nothing']), /nothing[^]*matmul-512/);
  });
});

test('every workload has a name of its own', () => {
  const names = workloads().map(({ name }) => name);
  assert.equal(new Set(names).size, names.length);
});

test('median and geometric mean', () => {
  assert.equal(median([3, 1, 2]), 2);
  assert.equal(median([4, 1, 3, 2]), 2.5);
  assert.throws(() => median([]), RangeError);
  assert.ok(Math.abs(geometricMean([2, 8]) - 4) < 1e-12);
  assert.throws(() => geometricMean([1, 0]), RangeError);
});

test('ratios are averaged over the workloads that a peer ran', () => {
  const measured = (peers: Record<string, { ms: number; ratio: number }>) =>
    ({ peers }) as unknown as Report['workloads'][number];
  const means = geometricMeans([
    measured({ one: { ms: 1, ratio: 2 }, other: { ms: 1, ratio: 5 } }),
    measured({ one: { ms: 1, ratio: 8 } }),
    measured({}),
  ]);
  assert.equal(means.other?.toFixed(9), '5.000000000');
  assert.equal(means.one?.toFixed(9), '4.000000000');
});

test('the floor is the longer of arithmetic and copying', () => {
  const ceiling = { gflops: 100, gbps: 10 };
  assert.equal(floorMs(ceiling, 1e9, 0), 10);
  assert.equal(floorMs(ceiling, 1e9, 1e9), 100);
});

test('a wrong, a missing and an undefined element are seen', () => {
  const right = Float32Array.from({ length: 50 }, (_, i) => i / 7);
  const reference = { y: sample(50, 1, 'y', (index) => index / 7) };
  assert.equal(compare({ y: right }, reference).isRight, true);
  assert.ok(compare({ y: right }, reference).maxError < 1e-7);
  const [wrong, broken] = [right.slice(), right.slice()];
  wrong[49] = 7.1;
  broken[0] = Number.NaN;
  assert.equal(compare({ y: wrong }, reference).isRight, false);
  assert.equal(compare({ y: broken }, reference).maxError, Infinity);
  assert.equal(compare({ y: right.subarray(0, 49) }, reference).maxError, Infinity);
  assert.equal(compare({}, reference).isRight, false);
});

test('work that ends on the device is submitted often between two looks at the clock, other work once', async () => {
  const options = { budget: 1000, leastSamples: 3, mostSamples: 3, sampleLength: 5 };
  const calls: string[] = [];
  const idle = async () => void calls.push('idle');
  const { samples } = await time(() => void calls.push('run'), idle, options);
  assert.equal(samples, 3);
  assert.ok(calls.filter((call) => call === 'run').length > 100);
  assert.equal(calls.at(-1), 'idle');
  let awaited = 0;
  await time(async () => awaited++, idle, options);
  // To warm up, then three samples.
  assert.equal(awaited, 4);
});

test('a run ends with one object that says what was measured, and names the adapter', async () => {
  const args = ['--only', 'softmax', '--only', 'batchnorm-960@7-step', '--seed', '3', '--json'];
  const { stdout } = await promisify(execFile)(process.execPath, [main, ...args]);
  const lines = stdout.trim().split('\n');
  const report = JSON.parse(lines.at(-1) as string) as Report;
  assert.ok(lines[0]?.includes(report.adapter.name));
  assert.equal(report.seed, 3);
  assert.ok(report.ceiling.gflops > 0 && report.ceiling.gbps > 0);
  assert.deepEqual(
    report.workloads.map(({ name }) => name),
    ['softmax-1024x1000', 'batchnorm-960@7-step'],
  );
  for (const { ms, gflops, dispatches, bytes, maxError, isRight, peers } of report.workloads) {
    for (const value of [ms, gflops, dispatches, bytes]) assert.ok(value > 0);
    assert.ok(isRight && maxError !== null && maxError > 0);
    assert.deepEqual(peers, {});
  }
  assert.deepEqual(report.geomean, {});
  assert.deepEqual(report.compilation, []);
});

test('the programs of a workload are compiled with and without a cache', async () => {
  const { coldMs, warmMs } = await measureCompilation({ name: 'compile-matmul-512', workload: 'matmul-512' }, 3);
  assert.ok(coldMs > 0 && warmMs > 0);
});

test('a wrong argument ends it with 2 and the usage', async () => {
  await assert.rejects(
    promisify(execFile)(process.execPath, [main, '--only', 'no such workload']),
    (error: Error & { code?: number; stderr?: string }) =>
      error.code === 2 && /No workload has no such workload/.test(error.stderr ?? ''),
  );
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../src/models/random.js';
import { freshSeed } from './fixtures.js';

test('xoshiro128** gives the numbers of its authors from the state 1, 2, 3, 4', () => {
  // https://prng.di.unimi.it/xoshiro128starstar.c; the same vector is in the Rust crate rand_xoshiro's tests.
  const random = Random.fromState(1, 2, 3, 4);
  const expected = [
    11520, 0, 5927040, 70819200, 2031721883, 1637235492, 1287239034, 3734860849, 3729100597, 4258142804,
  ];
  assert.deepEqual(
    expected.map(() => random.uint32()),
    expected,
  );
});

test('the state is filled by SplitMix64', () => {
  // First two outputs for the seed 1234567: https://rosettacode.org/wiki/Pseudo-random_numbers/Splitmix64
  const [first, second] = [6457827717110365317n, 3203168211198807973n];
  const halves = [first, second].flatMap((value) => [Number(value & 0xffff_ffffn), Number(value >> 32n)]);
  const expected = Random.fromState(...(halves as [number, number, number, number]));
  const random = new Random(1234567);
  for (let i = 0; i < 5; i++) assert.equal(random.uint32(), expected.uint32());
});

test('streams of one seed differ, and one stream repeats', (t) => {
  const seed = freshSeed(t);
  const draw = (stream: string) =>
    Array.from(
      { length: 8 },
      (
        (random) => () =>
          random.uint32()
      )(new Random(seed, stream)),
    );
  assert.deepEqual(draw('a.weight'), draw('a.weight'));
  assert.notDeepEqual(draw('a.weight'), draw('b.weight'));
});

test('uniform and normal numbers have their moments', (t) => {
  const random = new Random(freshSeed(t));
  const count = 200_000;
  const moments = (draw: () => number) => {
    let [sum, squares, fourth] = [0, 0, 0];
    for (let i = 0; i < count; i++) {
      const value = draw();
      sum += value;
      squares += value * value;
      fourth += value ** 4;
    }
    return [sum / count, squares / count, fourth / count] as const;
  };
  const [mean, square] = moments(() => random.uniform());
  // Six standard errors: sqrt(1/12 / n) and sqrt(4/45 / n).
  assert.ok(Math.abs(mean - 1 / 2) < 6 * Math.sqrt(1 / 12 / count));
  assert.ok(Math.abs(square - 1 / 3) < 6 * Math.sqrt(4 / 45 / count));
  const [zero, one, three] = moments(() => random.normal());
  assert.ok(Math.abs(zero) < 6 / Math.sqrt(count));
  assert.ok(Math.abs(one - 1) < 6 * Math.sqrt(2 / count));
  assert.ok(Math.abs(three - 3) < 6 * Math.sqrt(96 / count));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EvaluationTally, topPredictions } from '../../src/training/metrics.js';
import { epochOrder } from '../../src/training/shuffle.js';
import { freshSeed, seeded } from './fixtures.js';

test('measures of a hand-computed evaluation', () => {
  // Actual 0: predicted 0, 0, 1. Actual 1: predicted 1. Actual 2: predicted 0. Class 3 neither occurs nor is predicted.
  const tally = new EvaluationTally(['a', 'b', 'c', 'd']);
  tally.add(Float32Array.of(0.7, 0.1, 0.1, 0.1), 0);
  tally.add(Float32Array.of(0.5, 0.2, 0.2, 0.1), 0);
  tally.add(Float32Array.of(0.25, 0.5, 0.125, 0.125), 0);
  tally.add(Float32Array.of(0.1, 0.8, 0.05, 0.05), 1);
  tally.add(Float32Array.of(0.4, 0.3, 0.1, 0.2), 2);
  const result = tally.result();
  assert.equal(result.pictures, 5);
  assert.equal(result.accuracy, 3 / 5);
  assert.deepEqual(result.topK, [
    { k: 1, accuracy: 3 / 5 },
    { k: 3, accuracy: 4 / 5 },
  ]);
  assert.deepEqual(result.confusion, [
    [2, 1, 0, 0],
    [0, 1, 0, 0],
    [1, 0, 0, 0],
    [0, 0, 0, 0],
  ]);
  const expectedLoss = -(Math.log(0.7) + Math.log(0.5) + Math.log(0.25) + Math.log(0.8) + Math.log(0.1)) / 5;
  assert.ok(Math.abs(result.loss - expectedLoss) < 1e-6);
  assert.deepEqual(result.classes[0], { label: 'a', support: 3, precision: 2 / 3, recall: 2 / 3, f1: 2 / 3 });
  assert.deepEqual(result.classes[1], { label: 'b', support: 1, precision: 1 / 2, recall: 1, f1: 2 / 3 });
  assert.deepEqual(result.classes[2], { label: 'c', support: 1, precision: null, recall: 0, f1: 0 });
  assert.deepEqual(result.classes[3], { label: 'd', support: 0, precision: null, recall: null, f1: null });
});

test('a probability of zero gives a finite loss', () => {
  const tally = new EvaluationTally(['a', 'b']);
  tally.add(Float32Array.of(1, 0), 1);
  assert.ok(Number.isFinite(tally.result().loss));
});

test('top predictions come best first', () => {
  const top = topPredictions(Float32Array.of(0.1, 0.6, 0.3), ['x', 'y', 'z'], 2);
  assert.deepEqual(
    top.map(({ label, index }) => [label, index]),
    [
      ['y', 1],
      ['z', 2],
    ],
  );
});

test('an epoch order is a permutation that depends on seed and epoch', (t) => {
  const seed = freshSeed();
  t.diagnostic(`seed ${seed}`);
  const random = seeded(seed);
  for (let round = 0; round < 50; round++) {
    const count = 1 + Math.floor(random() * 300);
    const key = Math.floor(random() * 2 ** 32);
    const order = epochOrder(count, key, round);
    assert.deepEqual(
      [...order].sort((a, b) => a - b),
      Array.from({ length: count }, (_, i) => i),
    );
    assert.deepEqual(order, epochOrder(count, key, round));
    if (count > 20) assert.notDeepEqual(order, epochOrder(count, key, round + 1));
  }
});

test('an epoch order prefers no place', () => {
  // Where element 0 of 5 ends up, over 5,000 epochs: chi-square with 4 degrees of freedom, 0.1 % point 18.5.
  const counts = [0, 0, 0, 0, 0];
  for (let epoch = 0; epoch < 5000; epoch++) {
    const place = epochOrder(5, 42, epoch).indexOf(0);
    counts[place] = (counts[place] as number) + 1;
  }
  const chiSquare = counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
  assert.ok(chiSquare < 18.5, `chi-square ${chiSquare}: ${counts.join(' ')}`);
});

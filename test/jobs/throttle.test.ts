import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ProgressThrottle } from '../../src/jobs/throttle.js';
import type { ProgressEvent } from '../../src/training/types.js';

const rest = { epochs: 9, steps: 9, loss: 1, accuracy: 1, learningRate: 1, picturesPerSecond: 1, etaSeconds: null };
const step = (epoch: number, number: number): ProgressEvent => ({ type: 'step', epoch, step: number, ...rest });
const pictures = (done: number): ProgressEvent => {
  return { type: 'pictures', done, total: 100, picturesPerSecond: 1, etaSeconds: null };
};
const epoch = (number: number): ProgressEvent => {
  const measures = { trainLoss: 1, trainAccuracy: 1, validationLoss: null, validationAccuracy: null };
  return { type: 'epoch', epoch: number, epochs: 9, seconds: 1, ...measures };
};

test('steps are kept five times a second, and what ends something always', () => {
  let now = 0;
  const throttle = new ProgressThrottle(() => now);
  const kept: number[] = [];
  for (; now <= 1000; now += 10) if (throttle.accepts(step(1, now))) kept.push(now);
  assert.deepEqual(kept, [0, 200, 400, 600, 800, 1000]);
  now = 1001;
  assert.equal(throttle.accepts(step(1, 2)), false);
  assert.equal(throttle.accepts(pictures(50)), false);
  assert.equal(throttle.accepts(pictures(100)), true);
  for (let i = 1; i < 50; i++) assert.equal(throttle.accepts(epoch(i)), true);
  assert.equal(throttle.accepts({ type: 'phase', phase: 'features' }), true);
});

import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Network } from '../../src/models/network.js';
import { Random } from '../../src/models/random.js';
import { truncateAt } from '../../src/models/surgery.js';
import { freshSeed, relativeError, uniform } from '../models/fixtures.js';
import { onnxOutput } from '../models/onnxRuntime.js';
import { FACTS, reproducibleInput, reproducibleWeights } from '../models/torchvision/facts.js';
import { engineOutput } from './engineOutput.js';

function joined(...parts: readonly Float32Array[]): Float32Array {
  const result = new Float32Array(parts.reduce((sum, { length }) => sum + length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

/**
 * Checks a network of `SMALL` size: with the same weights (running statistics too) and pictures, our logits are torchvision's,
 * those of auxiliary heads too. With a fresh picture besides they are those of ONNX Runtime for the file that we export.
 */
export async function checkLogits(t: TestContext, engine: Engine, name: string, network: Network): Promise<void> {
  const facts = FACTS[name];
  assert.ok(facts, `no facts of ${name}`);
  const { side, batch } = facts;
  const model = { network, weights: reproducibleWeights(network, facts.gain) };
  const shape = [batch + 1, 3, side, side];
  const fresh = uniform(new Random(freshSeed(t)), 3 * side * side);
  const x = joined(reproducibleInput([batch, 3, side, side]), fresh);
  const logits = await engineOutput(engine, model, shape, x);
  const errors: Record<string, number> = {
    torchvision: relativeError(logits.subarray(0, facts.logits.length), facts.logits),
    onnxRuntime: relativeError(logits, (await onnxOutput(exportOnnx(model), shape, x)).data),
  };
  for (const { layer } of network.auxiliary) {
    const head = truncateAt(network, model.weights, layer);
    const expected = facts.auxiliary?.[layer.split('.')[0] ?? ''];
    assert.ok(expected, `no facts of ${layer}`);
    const given = reproducibleInput([batch, 3, side, side]);
    errors[layer] = relativeError(await engineOutput(engine, head, [batch, 3, side, side], given), expected);
  }
  t.diagnostic(`differences: ${JSON.stringify(errors)}`);
  for (const [other, error] of Object.entries(errors)) assert.ok(error < 1e-4, `${other}: ${error}`);
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';

test('an adapter is chosen by a part of its name; a name that fits none lists those there are', async () => {
  let listed = '';
  await assert.rejects(openEngine({ adapter: 'no adapter is called this' }), (error: unknown) => {
    assert.ok(error instanceof EngineError && error.code === 'NO_ADAPTER');
    listed = /name: '(.+?)'/.exec(error.message)?.[1] ?? '';
    return true;
  });
  assert.ok(listed, 'the message lists no adapter');
  const chosen = await openEngine({ adapter: listed.slice(0, 6) });
  const { description, device } = chosen.adapter;
  assert.ok(`${description} ${device}`.includes(listed.slice(0, 6)), `${description} ${device}`);
  chosen.destroy();
  releaseGpu();
});

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { EngineError, type EngineErrorCode } from '../../src/kernels/errors.js';
import { activation } from '../../src/kernels/ops/activation/activation.js';
import { add } from '../../src/kernels/ops/binary/binary.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';

const coded = (code: EngineErrorCode) => (error: unknown) => error instanceof EngineError && error.code === code;

describe('engine and plans', () => {
  let engine: Engine;
  before(async () => {
    engine = await openEngine();
  });
  after(() => {
    engine.destroy();
    releaseGpu();
  });

  test('asks for what the adapter offers, not for the defaults', () => {
    for (const name of ['maxBufferSize', 'maxStorageBufferBindingSize', 'maxStorageBuffersPerShaderStage'] as const) {
      assert.equal(engine.device.limits[name], engine.adapter.limits[name]);
    }
  });

  test('an equal program is compiled once', async () => {
    const program = { label: 'one', code: '@compute @workgroup_size(1) fn main() {}' };
    const [first, second] = await Promise.all([engine.pipeline(program), engine.pipeline({ ...program })]);
    assert.equal(first, second);
  });

  test('a program that does not compile names itself, the place and the reason', async () => {
    const program = { label: 'broken', code: '@compute @workgroup_size(1) fn main() {\n  let x: u32 = 1.5;\n}' };
    await assert.rejects(engine.pipeline(program), (error: unknown) => {
      assert.ok(error instanceof EngineError && error.code === 'PIPELINE_FAILED');
      assert.match(error.message, /broken.*2:/);
      return true;
    });
    // The failure is not remembered.
    await assert.rejects(engine.pipeline(program), coded('PIPELINE_FAILED'));
  });

  test('a buffer larger than the adapter allows is refused before it is asked for', () => {
    const bytes = engine.device.limits.maxBufferSize + 4;
    assert.throws(() => engine.createBuffer('huge', bytes, 0x80), coded('LIMIT_EXCEEDED'));
  });

  test('a tensor larger than the adapter binds is refused with the way out', async () => {
    const side = Math.ceil(Math.sqrt(engine.device.limits.maxStorageBufferBindingSize / 4)) + 1;
    const b = new PlanBuilder(engine);
    b.output('y', activation(b, b.input('x', [1, 1, side, side]), 'relu'));
    const before = engine.memory;
    await assert.rejects(b.compile(), (error: unknown) => {
      assert.ok(error instanceof EngineError && error.code === 'LIMIT_EXCEEDED');
      assert.match(error.message, /smaller batch/);
      return true;
    });
    assert.deepEqual(engine.memory, before);
  });

  test('shapes that are none, and inputs of another size, are refused', async () => {
    const b = new PlanBuilder(engine);
    assert.throws(() => b.input('x', [2, 0]), coded('INVALID_SHAPE'));
    const x = b.input('y', [2, 3]);
    assert.throws(() => b.input('y', [2, 3]), coded('INVALID_ARGUMENT'));
    assert.throws(() => add(b, x, b.input('z', [3, 2])), coded('INVALID_SHAPE'));
    b.output('out', activation(b, x, 'relu'));
    const plan = await b.compile();
    assert.throws(() => plan.run({ y: new Float32Array(5) }), coded('INVALID_SHAPE'));
    assert.throws(() => plan.run({ w: new Float32Array(6) }), coded('INVALID_ARGUMENT'));
    plan.dispose();
    assert.throws(() => plan.run({ y: new Float32Array(6) }), coded('INVALID_ARGUMENT'));
  });

  test('a plan reuses buffers whose values are dead and frees all of them', async () => {
    const before = engine.memory;
    const b = new PlanBuilder(engine);
    const shape = [1, 16, 64, 64];
    let x = b.input('x', shape);
    for (let i = 0; i < 10; i++) x = activation(b, x, 'relu');
    b.output('y', x);
    const plan = await b.compile();
    const one = 16 * 64 * 64 * 4;
    // The input, two buffers that take turns, the uniforms, and the output when it is read.
    assert.ok(plan.memory.total < 4.1 * one, `${plan.memory.total} bytes`);
    const values = Float32Array.from({ length: 16 * 64 * 64 }, (_, i) => (i % 7) - 3);
    for (let run = 0; run < 3; run++) {
      const { y } = await plan.run({ x: values })();
      assert.deepEqual(
        y,
        values.map((value) => Math.max(0, value)),
      );
    }
    plan.dispose();
    assert.deepEqual(engine.memory, before);
  });

  test('a plan stays as it was compiled, whatever its builder is given later', async () => {
    const b = new PlanBuilder(engine);
    const x = b.input('x', [1, 2]);
    const y = activation(b, x, 'relu');
    b.output('y', y);
    const first = await b.compile();
    b.output('z', activation(b, y, 'relu6'));
    const second = await b.compile();
    const given = { x: Float32Array.of(-1, 9) };
    assert.deepEqual(await first.run(given)(), { y: Float32Array.of(0, 9) });
    assert.deepEqual(await second.run(given)(), { y: Float32Array.of(0, 9), z: Float32Array.of(0, 6) });
    first.dispose();
    second.dispose();
  });

  test('steady state allocates nothing', async () => {
    const b = new PlanBuilder(engine);
    b.output('y', activation(b, b.input('x', [4, 5]), 'relu'));
    const plan = await b.compile();
    const values = { x: new Float32Array(20).fill(1) };
    await plan.run(values)();
    const { buffers } = engine.memory;
    for (let step = 0; step < 50; step++) await plan.run(values)();
    assert.equal(engine.memory.buffers, buffers);
    plan.dispose();
  });

  test('gradients of a value that is read twice are added', async () => {
    const b = new PlanBuilder(engine);
    const x = b.input('x', [1, 3], { requiresGradient: true });
    const y = add(b, add(b, x, x), activation(b, x, 'relu'));
    const dx = b.backward(y).get(x);
    assert.ok(dx);
    b.output('dx', dx);
    const plan = await b.compile({ poison: true });
    const outputs = await plan.run({ x: Float32Array.of(1, -1, 2) })();
    plan.dispose();
    assert.deepEqual([...(outputs.dx ?? [])], [3, 2, 3]);
  });

  test('a lost device is a typed error, at once and for ever', async () => {
    const other = await openEngine();
    const b = new PlanBuilder(other);
    b.output('y', activation(b, b.input('x', [2, 2]), 'relu'));
    const plan = await b.compile();
    other.destroy();
    assert.equal((await other.lost).code, 'DEVICE_LOST');
    assert.throws(() => plan.run({ x: new Float32Array(4) }), coded('DEVICE_LOST'));
    assert.throws(() => other.createTensor('t', [1]), coded('DEVICE_LOST'));
  });
});

import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Engine } from '../../src/kernels/engine.js';
import { dense } from '../../src/kernels/ops/dense/dense.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { tuned } from '../../src/kernels/tuner.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';
import { attachTuner } from '../../src/runtime/tuning.js';

describe('choices of kernels on disk', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graft-tuning-'));
  });
  after(async () => {
    await rm(folder, { recursive: true });
    releaseGpu();
  });

  async function withEngine(mode: 'auto' | 'on' | 'off', use: (engine: Engine) => Promise<void> | void): Promise<void> {
    const engine = await openEngine();
    try {
      await attachTuner(engine, { mode, budgetMs: 60_000, folder });
      await use(engine);
    } finally {
      engine.destroy();
    }
  }

  const build = (engine: Engine) => () => {
    const b = new PlanBuilder(engine);
    dense(b, b.input('x', [40, 100]), b.input('w', [50, 100], { layout: 'dense' }));
    return b;
  };

  test('what one process measures the next one knows', async (t) => {
    let known: [string, string][] = [];
    await withEngine('on', async (engine) => {
      await tuned(engine, build(engine));
      known = engine.variants.entries();
    });
    if (known.length === 0) return t.skip('this adapter has one way to compute a dense layer');
    const [file] = await readdir(folder);
    const { adapter } = JSON.parse(await readFile(join(folder, file as string), 'utf8'));
    assert.equal(typeof adapter, 'string');
    await withEngine('on', async (engine) => {
      assert.deepEqual(engine.variants.entries(), known);
      await tuned(engine, build(engine));
      assert.equal(engine.tuner?.totals.contracts, 0);
    });
  });

  test('a file that is none of ours is measured anew', async () => {
    for (const text of [
      '',
      '{',
      '[]',
      '{"format":2,"choices":[["a","b"]]}',
      '{"format":1,"choices":[1,["a"],["b",2]]}',
    ]) {
      for (const file of await readdir(folder)) await writeFile(join(folder, file), text);
      await withEngine('on', (engine) => assert.deepEqual(engine.variants.entries(), []));
    }
  });

  test('off measures nothing, auto nothing on software adapters', async () => {
    await withEngine('off', (engine) => assert.equal(engine.tuner, null));
    await withEngine('auto', (engine) => assert.equal(engine.tuner === null, engine.adapter.isSoftware));
  });
});

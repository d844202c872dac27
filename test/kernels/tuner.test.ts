import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { linearGrid, read, write } from '../../src/kernels/dispatch.js';
import type { Engine } from '../../src/kernels/engine.js';
import { conv2d } from '../../src/kernels/ops/conv2d/conv2d.js';
import { dense } from '../../src/kernels/ops/dense/dense.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { Tuner, tuned } from '../../src/kernels/tuner.js';
import type { Contract, Variant } from '../../src/kernels/variants.js';
import { assertClose } from './checkOp.js';
import { type FamilyEngine, openFamilies } from './engines.js';

const WORK = `
struct Parameters { rounds: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> p: Parameters;
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
  var value = vec4f(x[id.x]);
  for (var i = 0u; i < p.rounds; i++) { value = sin(value); }
  y[id.x] = V1(value);
}`;

interface Slow extends Variant {
  readonly rounds: number;
}

/** The variants do the same a different number of times, so that there is no doubt which is the fastest. */
function contractOf(key: string, rounds: Readonly<Record<string, number>>, built: string[] = []): Contract<Slow> {
  return {
    key,
    variants: Object.entries(rounds).map(([name, count]) => ({ name, rounds: count })),
    build(b, variant) {
      built.push(variant.name);
      const x = b.input('x', [1, 4, 64, 64]);
      const y = b.temporary('result', x.shape);
      b.dispatch({
        label: variant.name,
        program: { label: 'work', code: WORK },
        bindings: [read(x), write(y)],
        uniforms: [variant.rounds],
        workgroups: linearGrid(64 * 64),
      });
      b.output('result', y);
    },
  };
}

describe('the tuner', () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  let families: FamilyEngine[];
  let engine: Engine;
  before(async () => {
    opened = await openFamilies();
    families = opened.families;
    engine = (families.at(-1) as FamilyEngine).engine;
  });
  after(() => opened.close());

  const tune = (contracts: readonly Contract[], budgetMs = 60_000) => new Tuner(engine, { budgetMs }).tune(contracts);

  test('without a measurement the default is taken; what was chosen is kept as long as it exists', () => {
    const contract = contractOf('defaults', { first: 1, second: 1 });
    assert.equal(engine.variants.choose(contract).name, 'first');
    engine.variants.set('defaults', 'second');
    assert.equal(engine.variants.choose(contract).name, 'second');
    engine.variants.set('defaults', 'of another version');
    assert.equal(engine.variants.choose(contract).name, 'first');
  });

  test('the fastest variant is chosen, and measured only once', async () => {
    const built: string[] = [];
    const contract = contractOf('fastest', { slow: 4000, slower: 8000, fast: 4 }, built);
    assert.equal(await tune([contract] as never), true);
    assert.equal(engine.variants.choose(contract).name, 'fast');
    assert.deepEqual(built, ['slow', 'slower', 'fast']);
    assert.equal(await tune([contract] as never), false);
    assert.equal(built.length, 3);
  });

  test('the default stays where nothing is clearly faster, and nothing is to be built again', async () => {
    const contract = contractOf('even', { first: 4, second: 4000 });
    assert.equal(await tune([contract] as never), false);
    assert.equal(engine.variants.choose(contract).name, 'first');
    assert.ok(engine.variants.isKnown('even'));
  });

  test('the budget ends it; what was not measured keeps its default and is measured later', async () => {
    let clock = 0;
    const ticking = () => {
      clock += 10;
      return clock;
    };
    const contracts = [1, 2, 3].map((i) => contractOf(`budget ${i}`, { first: 4000, second: 4 }));
    const tuner = new Tuner(engine, { budgetMs: 45, now: ticking });
    await tuner.tune(contracts as never);
    assert.equal(tuner.totals.contracts, 1);
    assert.deepEqual(
      contracts.map((contract) => engine.variants.choose(contract).name),
      ['second', 'first', 'first'],
    );
    await new Tuner(engine, { budgetMs: 60_000 }).tune(contracts as never);
    assert.ok(contracts.every((contract) => engine.variants.choose(contract).name === 'second'));
  });

  test('measuring leaves no memory behind', async () => {
    const { memory } = engine;
    await tune([contractOf('memory', { first: 1, second: 2 })] as never);
    assert.deepEqual(engine.memory, memory);
  });

  test('a plan is built again only where a choice changed', async () => {
    const contract = contractOf('rebuilt', { slow: 4000, fast: 4 });
    engine.tuner = new Tuner(engine, { budgetMs: 60_000 });
    try {
      const names: string[] = [];
      const build = () => {
        const { name } = engine.variants.choose(contract);
        names.push(name);
        return name;
      };
      assert.equal(await tuned(engine, build), 'fast');
      assert.equal(await tuned(engine, build), 'fast');
      assert.deepEqual(names, ['slow', 'fast', 'fast']);
    } finally {
      engine.tuner = null;
    }
  });

  test('every variant of the products of a network gives the same values', async () => {
    for (const { engine: each, family } of families) {
      const contracts = each.variants.record(() => {
        const b = new PlanBuilder(each);
        const weight = (name: string, shape: number[]) =>
          b.input(name, shape, { layout: 'dense', requiresGradient: true });
        const padding = { top: 1, left: 1, bottom: 1, right: 1 };
        const attributes = { stride: [2, 2], padding, dilation: [1, 1], groups: 1 } as const;
        const x = b.input('x', [2, 5, 13, 11], { requiresGradient: true });
        const y = conv2d(b, x, weight('w1', [37, 5, 3, 3]), attributes, {
          bias: weight('b1', [37]),
          activation: 'relu',
        });
        const pointwise = { ...attributes, padding: { top: 0, left: 0, bottom: 0, right: 0 }, stride: [1, 1] } as const;
        const z = conv2d(b, y, weight('w2', [19, 37, 1, 1]), pointwise);
        b.backward(z, b.input('upstream', z.shape));
        const v = dense(b, b.input('v', [3, 70], { requiresGradient: true }), weight('w3', [9, 70]));
        b.backward(v, b.input('upstream 2', v.shape));
      });
      assert.ok(contracts.length > 0 || family === 'workgroup');
      for (const contract of contracts) {
        let expected: Float32Array | null = null;
        for (const variant of contract.variants) {
          const b = new PlanBuilder(each);
          contract.build(b, variant);
          const plan = await b.compile({ poison: true });
          plan.fillInputs();
          const { result } = await plan.run()();
          plan.dispose();
          expected ??= result as Float32Array;
          assertClose(result as Float32Array, expected, `${contract.key}: ${variant.name}`, 1e-5);
        }
      }
    }
  });
});

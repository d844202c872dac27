import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { EngineError } from '../../src/kernels/errors.js';
import { toHalf } from '../../src/kernels/half.js';
import { gatherRecords, type RecordField } from '../../src/kernels/ops/gatherRecords/gatherRecords.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import { elementCount } from '../../src/kernels/tensor.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { openFamilies } from './engines.js';

const seed = freshSeed();
const random = seeded(seed);

describe(`records picked on the device, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());

  const cases: { records: number; elements: number; count: number; field: RecordField }[] = [
    { records: 9, elements: 8, count: 5, field: { name: 'vector', shape: [7], offset: 0 } },
    { records: 3, elements: 24, count: 8, field: { name: 'vector behind another', shape: [13], offset: 8 } },
    { records: 40, elements: 1280, count: 32, field: { name: 'wide vector', shape: [1280], offset: 0 } },
    { records: 4, elements: 4, count: 1, field: { name: 'one number', shape: [1], offset: 0 } },
    { records: 5, elements: 80, count: 3, field: { name: 'odd map', shape: [5, 3, 5], offset: 4 } },
    { records: 6, elements: 64, count: 7, field: { name: 'even map', shape: [4, 4, 4], offset: 0 } },
    { records: 6, elements: 20, count: 3, field: { name: 'map of one pixel', shape: [9, 1, 1], offset: 8 } },
  ];
  for (const { records, elements, count, field } of cases) {
    for (const dtype of ['f32', 'f16'] as const) {
      test(`${field.name}, ${dtype}`, async (t) => {
        for (const { family, engine } of opened.families) {
          if (dtype === 'f16' && !engine.device.features.has('shader-f16')) {
            t.diagnostic(`${family}: no float16 on this adapter`);
            continue;
          }
          // Numbers that float16 holds exactly.
          const values = Float32Array.from(
            { length: records * elements },
            () => Math.floor(2048 * random() - 1024) / 512,
          );
          const table = engine.createTensor('table', [records, elements], { dtype });
          const stored = dtype === 'f16' ? toHalf(values) : values;
          engine.writeBytes(table, 0, new Uint8Array(stored.buffer));
          const indices = Uint32Array.from({ length: count }, () => Math.floor(random() * records));
          const b = new PlanBuilder(engine, { activationType: dtype });
          const input = b.input('indices', [count], { dtype: 'u32', layout: 'dense' });
          b.output('y', gatherRecords(b, b.persistent(table), input, field));
          const plan = await b.compile({ poison: true });
          const { y } = await plan.run({ indices })();
          plan.dispose();
          engine.destroyTensor(table);
          const size = elementCount(field.shape);
          const expected = Array.from(indices, (index) => {
            const from = index * elements + field.offset;
            return [...values.subarray(from, from + size)];
          }).flat();
          assert.deepEqual([...(y as Float32Array)], expected, family);
        }
      });
    }
  }

  test('says what it cannot pick', () => {
    const { engine } = opened.families[0] as (typeof opened.families)[number];
    const b = new PlanBuilder(engine);
    const table = b.input('table', [3, 8], { layout: 'dense' });
    const ragged = b.input('ragged', [3, 7], { layout: 'dense' });
    const indices = b.input('indices', [2], { dtype: 'u32', layout: 'dense' });
    const floats = b.input('floats', [2], { layout: 'dense' });
    const field = { name: 'x', shape: [4], offset: 0 };
    const invalid = (error: unknown) => error instanceof EngineError && error.code === 'INVALID_SHAPE';
    assert.throws(() => gatherRecords(b, ragged, indices, field), invalid);
    assert.throws(() => gatherRecords(b, table, floats, field), invalid);
    assert.throws(() => gatherRecords(b, table, indices, { ...field, offset: 2 }), invalid);
    assert.throws(() => gatherRecords(b, table, indices, { ...field, shape: [9] }), invalid);
  });
});

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { TEST_DESIGNER, TRAINING_DESIGNERS } from '../../src/demo/designers.js';
import { buildSampleData, type SamplePicture, samplePlan } from '../../src/demo/sampleData.js';
import { temporaryFolder } from '../store/fixtures.js';

const contents = (folder: string): Map<string, string> =>
  new Map(
    (readdirSync(folder, { recursive: true }) as string[])
      .filter((path) => path.endsWith('.png'))
      .sort()
      .map((path) => [
        path.replaceAll('\\', '/'),
        createHash('sha256')
          .update(readFileSync(join(folder, path)))
          .digest('hex'),
      ]),
  );

const namesOf = (plan: readonly SamplePicture[], split: string, key: 'designer' | 'emoji' | 'label') =>
  new Set(plan.filter((picture) => picture.split === split).map((picture) => picture[key]));

describe('the plan of the sample data', () => {
  const plan = samplePlan();

  test('keeps a designer, and the things of the test, out of training and validation', () => {
    assert.deepEqual([...namesOf(plan, 'test', 'designer')], [TEST_DESIGNER.id]);
    for (const split of ['train', 'val']) {
      assert.deepEqual(
        [...namesOf(plan, split, 'designer')],
        TRAINING_DESIGNERS.map(({ id }) => id),
      );
      const known = namesOf(plan, split, 'emoji');
      assert.deepEqual(
        [...namesOf(plan, 'test', 'emoji')].filter((emoji) => known.has(emoji)),
        [],
      );
    }
    const learned = namesOf(plan, 'train', 'emoji');
    assert.deepEqual(
      [...namesOf(plan, 'val', 'emoji')].filter((emoji) => learned.has(emoji)),
      [],
    );
  });

  test('has every class in every split, each emoji in one class, each class equally often in the test', () => {
    const labels = namesOf(plan, 'train', 'label');
    assert.ok(labels.size >= 5 && labels.size <= 8, `${labels.size} classes`);
    for (const split of ['val', 'test']) assert.deepEqual(namesOf(plan, split, 'label'), labels);
    const classes = new Map<string, string>();
    for (const { emoji, label } of plan) {
      assert.equal(classes.get(emoji) ?? label, label, `${emoji} is in one class`);
      classes.set(emoji, label);
    }
    const tested = [...labels].map((label) => plan.filter((p) => p.split === 'test' && p.label === label).length);
    assert.equal(new Set(tested).size, 1, `test pictures of the classes: ${tested.join()}`);
    const trained = [...labels].map((label) => plan.filter((p) => p.split === 'train' && p.label === label).length);
    assert.ok(Math.min(...trained) >= 25, `training pictures of the classes: ${trained.join()}`);
  });
});

describe('the pictures of the sample data', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  before(async () => {
    folder = await temporaryFolder();
    await buildSampleData(join(folder.path, 'a'));
    await buildSampleData(join(folder.path, 'b'));
  });
  after(() => folder.remove());

  test('are the planned ones, the same bytes each time, no two alike', () => {
    const first = contents(join(folder.path, 'a'));
    const paths = samplePlan().map(({ path }) => path);
    assert.deepEqual([...first.keys()].sort(), paths.sort());
    assert.deepEqual(contents(join(folder.path, 'b')), first);
    assert.equal(new Set(first.values()).size, paths.length);
  });

  test('are 224 x 224 in colour, opaque, white at the margin and not empty', async () => {
    for (const { path } of samplePlan()) {
      const picture = sharp(join(folder.path, 'a', path));
      const { width, height, channels, hasAlpha } = await picture.metadata();
      assert.deepEqual(
        { width, height, channels, hasAlpha },
        { width: 224, height: 224, channels: 3, hasAlpha: false },
      );
      const { data } = await picture.raw().toBuffer({ resolveWithObject: true });
      assert.ok(
        data.subarray(0, 3 * 224).every((value) => value === 255),
        `${path}: the top line is white`,
      );
      const dark = data.filter((value) => value < 200).length / data.length;
      assert.ok(dark > 0.02, `${path}: ${dark} of the values are not light`);
    }
  });
});

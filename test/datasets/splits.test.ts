import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { placePictures } from '../../src/datasets/layout.js';
import { assignSplits, checkShares, type Labelled } from '../../src/datasets/split.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { coded } from './archives.js';

const labels = (paths: readonly string[]) =>
  Object.fromEntries(
    [...placePictures(paths)].map(([path, place]) => [
      path,
      'misplaced' in place ? 'misplaced' : `${place.split ?? '-'} ${place.label}`,
    ]),
  );

describe('where the labels come from', () => {
  test('class folders', () => {
    assert.deepEqual(labels(['cats/1.jpg', 'dogs/deeper/2.jpg']), {
      'cats/1.jpg': '- cats',
      'dogs/deeper/2.jpg': '- dogs',
    });
  });

  test('folders around everything are looked through, pictures beside class folders have no label', () => {
    assert.deepEqual(labels(['all/data/cats/1.jpg', 'all/data/dogs/2.jpg', 'cover.jpg']), {
      'all/data/cats/1.jpg': '- cats',
      'all/data/dogs/2.jpg': '- dogs',
      'cover.jpg': 'misplaced',
    });
    // One class only is no folder around everything.
    assert.deepEqual(labels(['cats/1.jpg', 'cats/2.jpg']), { 'cats/1.jpg': '- cats', 'cats/2.jpg': '- cats' });
  });

  test('folders for training, validation and test, as people spell them', () => {
    const paths = ['x/Train/cats/1.jpg', 'x/valid/cats/2.jpg', 'x/TESTING/cats/3.jpg', 'x/extra/cats/4.jpg'];
    assert.deepEqual(labels(paths), {
      'x/Train/cats/1.jpg': 'train cats',
      'x/valid/cats/2.jpg': 'validation cats',
      'x/TESTING/cats/3.jpg': 'test cats',
      'x/extra/cats/4.jpg': 'misplaced',
    });
  });

  test('a class may be called train', () => {
    assert.deepEqual(labels(['train/1.jpg', 'bus/2.jpg']), { 'train/1.jpg': '- train', 'bus/2.jpg': '- bus' });
    assert.deepEqual(labels(['train/old/1.jpg', 'bus/new/2.jpg']), {
      'train/old/1.jpg': '- train',
      'bus/new/2.jpg': '- bus',
    });
  });
});

const seed = freshSeed();
const random = seeded(seed);
const SHARES = { validationShare: 0.2, testShare: 0.1 };

function pictures(sizes: Readonly<Record<string, number>>): Labelled[] {
  return Object.entries(sizes).flatMap(([label, count]) =>
    Array.from({ length: count }, (_, i) => ({
      path: `${label}/${i}.jpg`,
      hash: `${Math.floor(random() * 2 ** 48).toString(16)}-${label}-${i}`,
      label,
      split: null,
    })),
  );
}

const shuffled = <T>(values: readonly T[]): T[] =>
  values
    .map((value) => ({ value, key: random() }))
    .sort((a, b) => a.key - b.key)
    .map(({ value }) => value);

const count = (found: readonly { label: string; split: string }[], label: string, split: string): number =>
  found.filter((picture) => picture.label === label && picture.split === split).length;

describe(`drawn splits, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  test('each class gives its share, and never its last picture for training', () => {
    const found = assignSplits(pictures({ a: 100, b: 30, c: 3, d: 2, e: 1 }), SHARES, 1);
    const table = ['a', 'b', 'c', 'd', 'e'].map((label) =>
      ['train', 'validation', 'test'].map((split) => count(found, label, split)),
    );
    assert.deepEqual(table, [
      [70, 20, 10],
      [21, 6, 3],
      [1, 1, 1],
      [2, 0, 0],
      [1, 0, 0],
    ]);
  });

  test('the draw depends on seed and contents, not on order or names', () => {
    const given = pictures({ a: 40, b: 25 });
    const byHash = (found: readonly (Labelled & { split: string })[]) =>
      new Map(found.map(({ hash, split }) => [hash, split]));
    const first = byHash(assignSplits(given, SHARES, 7));
    const renamed = shuffled(given).map((picture, i) => ({ ...picture, path: `${picture.label}/new ${i}.jpg` }));
    assert.deepEqual(byHash(assignSplits(renamed, SHARES, 7)), first);
    assert.notDeepEqual(byHash(assignSplits(given, SHARES, 8)), first);
  });

  test('equal pictures stay together, also across classes', () => {
    const given = pictures({ a: 30, b: 30 });
    const copies = given.slice(0, 20).map((picture) => ({ ...picture, path: `b/copy of ${picture.path}`, label: 'b' }));
    const found = assignSplits([...given, ...copies], SHARES, 3);
    for (const { hash, split } of found) {
      assert.ok(found.every((other) => other.hash !== hash || other.split === split));
    }
  });

  test('a split that has a folder keeps exactly its pictures; others are drawn from the training folder', () => {
    const folders = pictures({ a: 50 }).map((picture, i) => ({
      ...picture,
      split: i < 10 ? ('test' as const) : ('train' as const),
    }));
    const found = assignSplits(folders, { validationShare: 0.25, testShare: 0.5 }, 1);
    assert.deepEqual(
      found.filter(({ split }) => split === 'test').map(({ path }) => path),
      folders.slice(0, 10).map(({ path }) => path),
    );
    assert.equal(count(found, 'a', 'validation'), 10);
    assert.equal(count(found, 'a', 'train'), 30);
  });

  test('shares out of range are refused', () => {
    for (const shares of [
      { validationShare: -0.1 },
      { testShare: 0.95 },
      { validationShare: 0.5, testShare: 0.5 },
      { testShare: Number.NaN },
    ]) {
      assert.throws(() => checkShares(shares, true), coded('INVALID_OPTIONS'));
    }
    assert.deepEqual(checkShares({}, true), { validationShare: 0, testShare: 0 });
    assert.deepEqual(checkShares({ testShare: 0.3 }, false), { validationShare: 0.15, testShare: 0.3 });
  });
});

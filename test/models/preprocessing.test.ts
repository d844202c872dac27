import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { imagenetPreprocessing, resizing } from '../../src/models/preprocessing.js';

describe('resizeThenCrop', () => {
  /** Sizes and offsets of torchvision 0.29's Resize(resize) and CenterCrop(crop) for pictures of width x height. */
  const CASES = [
    // [width, height, resize, crop] -> [width, height, left, top]
    [500, 375, 256, 224, 341, 256, 58, 16],
    [375, 500, 256, 224, 256, 341, 16, 58],
    [256, 256, 256, 224, 256, 256, 16, 16],
    [500, 333, 232, 224, 348, 232, 62, 4],
    [1024, 768, 342, 299, 456, 342, 78, 22],
    [640, 427, 255, 240, 382, 255, 71, 8],
    [100, 901, 236, 224, 236, 2126, 6, 951],
    [13, 9, 6, 5, 8, 6, 2, 0],
  ] as const;
  for (const [width, height, resize, crop, ...expected] of CASES) {
    test(`${width} x ${height} to ${resize}, cut ${crop}`, () => {
      const cropFraction = crop / resize;
      const found = resizing({ width, height }, { ...imagenetPreprocessing(crop, crop), cropFraction });
      assert.deepEqual([found.width, found.height, found.left, found.top], expected);
    });
  }

  test('an input that is not square is covered, whatever the shape of the picture', () => {
    for (const [width, height] of [
      [1, 1],
      [4000, 3],
      [3, 4000],
      [640, 480],
    ] as const) {
      const found = resizing({ width, height }, imagenetPreprocessing(96, 160));
      assert.ok(found.left >= 0 && found.left + 160 <= found.width, JSON.stringify(found));
      assert.ok(found.top >= 0 && found.top + 96 <= found.height, JSON.stringify(found));
      assert.ok(found.width === Math.round(160 / 0.875) || found.height === Math.round(96 / 0.875));
    }
  });
});

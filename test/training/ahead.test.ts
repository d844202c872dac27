import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { ahead, batchesOf } from '../../src/training/ahead.js';

describe('loading ahead', () => {
  /** Loads that end when `release` is called, in whatever order. */
  function loads() {
    const started: number[] = [];
    const ends = new Map<number, { resolve: (value: string) => void; reject: (error: Error) => void }>();
    const load = (item: number): Promise<string> => {
      started.push(item);
      return new Promise((resolve, reject) => ends.set(item, { resolve, reject }));
    };
    return { started, load, end: (item: number) => ends.get(item)?.resolve(`${item}`), ends };
  }

  test('keeps the order and never more under way than asked for', async () => {
    const { started, load, end } = loads();
    const seen: string[] = [];
    const done = (async () => {
      for await (const [item, value] of ahead([1, 2, 3, 4], 2, load)) seen.push(`${item}${value}`);
    })();
    await nextTurn();
    assert.deepEqual(started, [1, 2]);
    end(2);
    await nextTurn();
    assert.deepEqual([started, seen], [[1, 2], []]);
    end(1);
    await nextTurn();
    assert.deepEqual(started, [1, 2, 3, 4]);
    assert.deepEqual(seen, ['11', '22']);
    end(3);
    end(4);
    await done;
    assert.deepEqual(seen, ['11', '22', '33', '44']);
  });

  test('who stops early waits for what is under way', async () => {
    const { started, load, end, ends } = loads();
    let isOver = false;
    const done = (async () => {
      for await (const [item] of ahead([1, 2, 3, 4], 2, load)) if (item === 1) break;
      isOver = true;
    })();
    end(1);
    await nextTurn();
    assert.deepEqual(started, [1, 2, 3]);
    assert.equal(isOver, false);
    end(2);
    ends.get(3)?.reject(new Error('nobody asks for it any more'));
    await done;
  });

  test('a failure comes when its turn comes', async () => {
    const seen: number[] = [];
    const load = async (item: number) => {
      if (item === 3) throw new Error('three');
      return item;
    };
    await assert.rejects(async () => {
      for await (const [item] of ahead([1, 2, 3, 4], 3, load)) seen.push(item);
    }, /three/);
    assert.deepEqual(seen, [1, 2]);
  });

  test('batches', () => {
    assert.deepEqual(batchesOf([1, 2, 3, 4, 5], 2), [[1, 2], [3, 4], [5]]);
    assert.deepEqual(batchesOf([], 2), []);
  });
});

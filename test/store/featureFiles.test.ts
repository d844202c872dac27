import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { appendFile, readdir, readFile, rm, stat, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { FeatureFiles } from '../../src/store/featureFiles.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { temporaryFolder } from './fixtures.js';

const RECORD = 48;
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const KEY = sha256('trunk');

type Records = NonNullable<Awaited<ReturnType<FeatureFiles['open']>>>;

async function opened(store: FeatureFiles, key: string, recordBytes = RECORD): Promise<Records> {
  const records = await store.open(key, recordBytes);
  assert.ok(records);
  return records;
}

describe('features on disk', () => {
  const seed = freshSeed();
  const random = seeded(seed);
  const expected = new Map<string, Buffer>();
  const hashes = Array.from({ length: 20 }, (_, i) => sha256(`picture ${i}`));
  for (const hash of hashes) {
    expected.set(hash, Buffer.from(Array.from({ length: RECORD }, () => Math.floor(random() * 256))));
  }
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let files: FeatureFiles;
  beforeEach(async () => {
    folder = await temporaryFolder();
    files = new FeatureFiles(folder.path, { limitBytes: 2 ** 30 });
  });
  afterEach(() => folder.remove());

  const append = (records: Records, some: readonly string[]) =>
    records.append(some, Buffer.concat(some.map((hash) => expected.get(hash) as Buffer)));

  async function fill(some: readonly string[], key = KEY, store = files): Promise<void> {
    const records = await opened(store, key);
    await append(records, some);
    await records.close();
  }

  /** Reads `hashes` and checks that whatever comes is what was written; returns which came. */
  async function readable(records: Records, wanted: readonly string[] = hashes): Promise<string[]> {
    const seen: string[] = [];
    await records.read(wanted, (hash, record) => {
      assert.ok(Buffer.from(record).equals(expected.get(hash) as Buffer), hash);
      seen.push(hash);
    });
    assert.deepEqual(
      wanted.filter((hash) => records.has(hash)),
      wanted.filter((hash) => seen.includes(hash)),
    );
    return seen.sort();
  }

  async function reread(): Promise<string[]> {
    const records = await opened(files, KEY);
    try {
      return await readable(records);
    } finally {
      await records.close();
    }
  }

  async function shards(ending: string): Promise<string[]> {
    const names = await readdir(join(folder.path, KEY));
    return names
      .filter((name) => name.endsWith(ending))
      .sort()
      .map((name) => join(folder.path, KEY, name));
  }

  async function flip(file: string, byte: number): Promise<void> {
    const bytes = await readFile(file);
    bytes[byte] = (bytes[byte] as number) ^ (1 << Math.floor(random() * 8));
    await writeFile(file, bytes);
  }

  test('what was kept is there, in whatever order it is asked for, for the writer and for who comes later', async () => {
    const records = await opened(files, KEY);
    assert.equal(records.has(hashes[0] as string), false);
    await append(records, hashes.slice(0, 7));
    await append(records, hashes.slice(7));
    assert.deepEqual(await readable(records), [...hashes].sort());
    await records.close();
    assert.deepEqual(await reread(), [...hashes].sort());
    const later = await opened(files, KEY);
    const few = [hashes[19], hashes[3], hashes[4]] as string[];
    assert.deepEqual(await readable(later, few), [...few].sort());
    await later.close();
  });

  test('a key has its own records', async () => {
    await fill(hashes);
    const other = await opened(files, sha256('another trunk'));
    assert.deepEqual(await readable(other), []);
    await other.close();
    const wider = await opened(files, KEY, RECORD + 4);
    assert.equal(wider.has(hashes[0] as string), false);
    await wider.close();
  });

  for (const ending of ['.records', '.index']) {
    test(`a cut off at any byte of ${ending} costs the records behind it and no others`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      await fill(hashes);
      const [file] = (await shards(ending)) as [string];
      const before = await readFile(file);
      const entry = ending === '.index' ? 40 : RECORD;
      const header = ending === '.index' ? 16 : 0;
      for (const cut of [0, header, header + 1, Math.floor(random() * before.length), before.length - 1]) {
        await writeFile(file, before);
        await truncate(file, cut);
        const whole = Math.max(0, Math.floor((cut - header) / entry));
        assert.deepEqual(await reread(), hashes.slice(0, whole).sort(), `cut at ${cut}`);
      }
    });

    test(`a flipped bit in ${ending} costs one record`, async (t) => {
      t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
      await fill(hashes);
      const [file] = (await shards(ending)) as [string];
      const victim = Math.floor(random() * hashes.length);
      const offset = ending === '.index' ? 16 + victim * 40 : victim * RECORD;
      await flip(file, offset + Math.floor(random() * 40));
      const left = hashes.filter((_, i) => i !== victim).sort();
      assert.deepEqual(await reread(), left);

      // It is written again, and then the new one counts.
      await fill([hashes[victim] as string]);
      assert.deepEqual(await reread(), [...hashes].sort());
    });
  }

  test('a flipped bit in the header costs the shard', async () => {
    await fill(hashes.slice(0, 10));
    const [first] = (await shards('.index')) as [string];
    await fill(hashes.slice(10));
    await flip(first, 9);
    assert.deepEqual(await reread(), hashes.slice(10).sort());
  });

  test('garbage behind the last entry and lost files are passed over', async () => {
    await fill(hashes.slice(0, 10));
    const [index] = (await shards('.index')) as [string];
    await appendFile(index, Buffer.alloc(100, 7));
    await fill(hashes.slice(10));
    assert.deepEqual(await reread(), [...hashes].sort());
    const [records] = (await shards('.records')) as [string];
    await rm(records);
    assert.deepEqual(await reread(), hashes.slice(10).sort());
  });

  test('two that write at the same time do not disturb each other', async () => {
    const [a, b] = [await opened(files, KEY), await opened(files, KEY)];
    for (let i = 0; i < 10; i++) {
      await Promise.all([append(a, [hashes[i] as string]), append(b, [hashes[i + 10] as string])]);
      // Both take this one.
      await Promise.all([append(a, [hashes[5] as string]), append(b, [hashes[5] as string])]);
    }
    assert.deepEqual(await readable(a, hashes.slice(0, 10)), hashes.slice(0, 10).sort());
    await Promise.all([a.close(), b.close()]);
    assert.deepEqual(await reread(), [...hashes].sort());
  });

  test('one that is asked to keep several things at a time keeps all', async () => {
    const records = await opened(files, KEY);
    await Promise.all([0, 5, 10, 15].map((from) => append(records, hashes.slice(from, from + 5))));
    assert.deepEqual(await readable(records), [...hashes].sort());
    await records.close();
    assert.deepEqual(await reread(), [...hashes].sort());
  });

  test('the trunk that was used longest ago makes room, whole', async () => {
    const keys = ['one', 'two', 'three'].map(sha256);
    const bytesOf = async (key: string) => {
      const names = await readdir(join(folder.path, key)).catch(() => []);
      const sizes = await Promise.all(names.map(async (name) => (await stat(join(folder.path, key, name))).size));
      return sizes.reduce((sum, size) => sum + size, 0);
    };
    for (const [i, key] of keys.entries()) {
      await fill(hashes, key);
      await utimes(join(folder.path, key), 1000 + i, 1000 + i);
    }
    const each = await bytesOf(keys[0] as string);
    assert.ok(each > hashes.length * RECORD);
    // Used again: now `two` is the oldest.
    await (await opened(files, keys[0] as string)).close();
    const small = new FeatureFiles(folder.path, { limitBytes: 3 * each });
    await fill(hashes, KEY, small);
    assert.deepEqual(await Promise.all(keys.map(bytesOf)), [each, 0, each]);
    assert.deepEqual(await reread(), [...hashes].sort());
  });

  test('what alone is too large is kept as far as it fits, and the rest is let go', async () => {
    const small = new FeatureFiles(folder.path, { limitBytes: 10 * (RECORD + 40) + 20 });
    const records = await opened(small, KEY);
    for (const hash of hashes) await append(records, [hash]);
    assert.deepEqual(await readable(records), hashes.slice(0, 10).sort());
    await records.close();
  });

  test('a disk that cannot be written is reported, not thrown', async () => {
    const problems: unknown[] = [];
    const store = new FeatureFiles(folder.path, { limitBytes: 2 ** 30, onProblem: (error) => problems.push(error) });
    const records = await opened(store, KEY);
    await rm(folder.path, { recursive: true });
    await append(records, hashes);
    await append(records, hashes);
    assert.equal(problems.length, 1);
    assert.deepEqual(await readable(records), []);
    await records.close();
  });

  test('a folder that cannot be used is reported, not thrown', async () => {
    const problems: unknown[] = [];
    const path = join(folder.path, 'file');
    await writeFile(path, 'not a folder');
    const store = new FeatureFiles(path, { limitBytes: 2 ** 30, onProblem: (error) => problems.push(error) });
    assert.equal(await store.open(KEY, RECORD), null);
    assert.equal(problems.length, 1);
  });

  test('keys that are no keys and records of another size are refused', async () => {
    await assert.rejects(files.open('../blobs', RECORD), RangeError);
    const records = await opened(files, KEY);
    await assert.rejects(records.append([hashes[0] as string], Buffer.alloc(RECORD - 1)), RangeError);
    await records.close();
  });
});

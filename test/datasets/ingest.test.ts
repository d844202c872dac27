import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import sharp from 'sharp';
import type { ArchiveEntries } from '../../src/datasets/entries.js';
import { DatasetError } from '../../src/datasets/errors.js';
import { ingest } from '../../src/datasets/ingest.js';
import { DecodingPictureSource } from '../../src/datasets/pictureSource.js';
import type { Preprocessing } from '../../src/models/network.js';
import { coded } from './archives.js';

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A PNG of one colour, a different one for each `shade`. */
const picture = (shade: number, width = 4, height = 3) =>
  sharp({ create: { width, height, channels: 3, background: { r: shade % 256, g: shade >> 8, b: 7 } } })
    .png()
    .toBuffer();

async function* entries(files: Readonly<Record<string, Uint8Array | Error | string>>): ArchiveEntries {
  for (const [path, content] of Object.entries(files)) {
    if (typeof content === 'string') yield { path, refused: content };
    else {
      const read = async () => {
        if (content instanceof Error) throw content;
        return content;
      };
      yield { path, read };
    }
  }
}

const nothing = async () => undefined;

describe('ingest', () => {
  test('says of every picture what it is, and hands each content over once', async () => {
    const [a, b, c] = [await picture(1), await picture(2, 9, 5), await picture(3)];
    const stored: string[] = [];
    const result = await ingest(
      entries({ 'z/2.png': b, 'a/1.png': a, 'a/copy of 1.png': a, 'a/3.png': c }),
      { validationShare: 0, testShare: 0 },
      async (bytes) => stored.push(sha256(bytes)),
    );
    assert.deepEqual(stored.sort(), [a, b, c].map(sha256).sort());
    assert.deepEqual(result.classes, ['a', 'z']);
    const train = { split: 'train', width: 4, height: 3 };
    assert.deepEqual(result.pictures, [
      { path: 'a/1.png', hash: sha256(a), labelIndex: 0, ...train },
      { path: 'a/3.png', hash: sha256(c), labelIndex: 0, ...train },
      { path: 'a/copy of 1.png', hash: sha256(a), labelIndex: 0, ...train },
      { path: 'z/2.png', hash: sha256(b), labelIndex: 1, split: 'train', width: 9, height: 5 },
    ]);
    assert.deepEqual(
      result.warnings.map(({ code, paths }) => [code, paths]),
      [
        ['SMALL_CLASS', ['z/2.png']],
        ['DUPLICATE', ['a/1.png', 'a/copy of 1.png']],
        ['EMPTY_SPLIT', []],
        ['EMPTY_SPLIT', []],
      ],
    );
  });

  test('a file that cannot be used is skipped and listed with the reason, and nothing more', async () => {
    const good = await picture(5);
    const result = await ingest(
      entries({
        'a/1.png': good,
        'a/2.png': await picture(6),
        'a/cut.png': good.subarray(0, 40),
        'a/notes.txt': Buffer.from('notes'),
        'a/link.png': 'it is a link or a special file',
        'a/damaged.png': new DatasetError('UNREADABLE_FILE', 'a/damaged.png is damaged: its checksum is wrong'),
        'cover.png': await picture(7),
      }),
      {},
      nothing,
    );
    assert.deepEqual(
      result.pictures.map(({ path }) => path),
      ['a/1.png', 'a/2.png'],
    );
    assert.deepEqual(
      result.skipped.map(({ path }) => path),
      ['a/cut.png', 'a/damaged.png', 'a/link.png', 'a/notes.txt', 'cover.png'],
    );
    assert.ok(result.skipped.every(({ reason }) => reason.length > 10));
    const warning = result.warnings.find(({ code }) => code === 'SKIPPED_FILES');
    assert.deepEqual(
      warning?.paths,
      result.skipped.map(({ path }) => path),
    );
  });

  test('the same picture in two splits is told', async () => {
    const same = await picture(8);
    const result = await ingest(
      entries({
        'train/a/1.png': same,
        'train/a/2.png': await picture(9),
        'val/a/1.png': same,
        'test/a/3.png': await picture(10),
      }),
      {},
      nothing,
    );
    assert.deepEqual(
      result.pictures.map(({ split }) => split),
      ['test', 'train', 'train', 'validation'],
    );
    const codes = result.warnings.map(({ code }) => code);
    assert.ok(codes.includes('SPLIT_LEAK') && codes.includes('DUPLICATE'));
  });

  test('no picture at all is an error that names the first file', async () => {
    await assert.rejects(ingest(entries({}), {}, nothing), coded('NO_PICTURES'));
    await assert.rejects(ingest(entries({ 'a/x.txt': Buffer.from('x') }), {}, nothing), (error: unknown) => {
      assert.ok(coded('NO_PICTURES')(error));
      assert.match((error as Error).message, /a\/x\.txt/);
      return true;
    });
  });

  test('limits, wrong shares, an abort and a failing store end it with their errors', async () => {
    const files = { 'a/1.png': await picture(1), 'a/2.png': await picture(2), 'b/1.png': await picture(3) };
    await assert.rejects(ingest(entries(files), { maxPictures: 2 }, nothing), coded('LIMIT_EXCEEDED'));
    assert.equal((await ingest(entries(files), { maxPictures: 3 }, nothing)).pictures.length, 3);
    await assert.rejects(ingest(entries(files), { testShare: 2 }, nothing), coded('INVALID_OPTIONS'));
    const reason = new Error('stop');
    await assert.rejects(ingest(entries(files), { signal: AbortSignal.abort(reason) }, nothing), reason);
    const full = new Error('the disk is full');
    await assert.rejects(
      ingest(entries(files), {}, async () => {
        throw full;
      }),
      full,
    );
    await assert.rejects(
      ingest(entries({ ...files, 'b/2.png': new DatasetError('DAMAGED_ARCHIVE', 'it ends early') }), {}, nothing),
      coded('DAMAGED_ARCHIVE'),
    );
  });
});

describe('pictures for the trainer', () => {
  const preprocessing: Preprocessing = {
    height: 2,
    width: 3,
    fit: 'stretch',
    cropFraction: 1,
    interpolation: 'bilinear',
    channelOrder: 'RGB',
    scale: 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };

  test('come in the order asked for, with and without a cache', async () => {
    const files = new Map<string, Buffer>();
    for (let shade = 0; shade < 20; shade++) files.set(`${shade}`, await picture(shade));
    const order = ['7', '3', '19', '3', '0', '11', '12', '13'];
    let reads = 0;
    for (const cacheBytes of [0, 2 * 18, 10_000]) {
      reads = 0;
      const source = new DecodingPictureSource({
        read: async (hash) => {
          reads++;
          return files.get(hash) as Buffer;
        },
        preprocessing,
        cacheBytes,
      });
      for (let epoch = 0; epoch < 2; epoch++) {
        const batch = await source.load(order);
        assert.equal(batch.length, order.length * 18);
        order.forEach((hash, i) => {
          const pixels = batch.subarray(i * 18, (i + 1) * 18);
          assert.ok(
            pixels.every((value, at) => value === [Number(hash), 0, 7][at % 3]),
            `picture ${hash}`,
          );
        });
      }
      if (cacheBytes === 0) assert.equal(reads, 16);
      if (cacheBytes === 10_000) assert.ok(reads <= 8, `${reads}`);
    }
  });

  test('a picture that cannot be decoded is named', async () => {
    const good = await picture(1);
    const source = new DecodingPictureSource({
      read: async (hash) => (hash === 'bad' ? Buffer.from('no picture') : good),
      preprocessing,
    });
    await assert.rejects(source.load(['good', 'bad', 'good']), (error: unknown) => {
      assert.ok(coded('UNREADABLE_PICTURE')(error));
      assert.match((error as Error).message, /bad/);
      return true;
    });
  });
});

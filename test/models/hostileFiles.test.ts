import assert from 'node:assert/strict';
import { describe, test, type TestContext } from 'node:test';
import { ModelError } from '../../src/models/errors.js';
import { readPytorch } from '../../src/models/formats/pytorch.js';
import { writePytorch } from '../../src/models/formats/pytorch/write.js';
import { readSafetensors, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { openZip } from '../../src/models/formats/zip/archive.js';
import { inflate } from '../../src/models/formats/zip/inflate.js';
import { Random } from '../../src/models/random.js';
import { mutate } from '../fuzz/mutate.js';
import { freshSeed, tinyNetwork } from './fixtures.js';
import { legacyFile } from './legacyWriter.js';
import { global, int, text, torchZip } from './pickles.js';
import { torchFile } from './torchFiles.js';
import { testZip } from './zipWriter.js';

/** Mutates good files again and again; each must be read or give a ModelError. Most must be refused, else nothing was tested. */
function fuzz(
  t: TestContext,
  trials: number,
  good: readonly Uint8Array[],
  read: (bytes: Uint8Array) => void,
  wrap: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes,
): void {
  const random = new Random(freshSeed(t));
  for (const bytes of good) read(wrap(bytes));
  let refused = 0;
  for (let trial = 0; trial < trials; trial++) {
    const pick = () => good[random.uint32() % good.length] as Uint8Array;
    const bytes = wrap(mutate(pick(), random, pick()));
    try {
      read(bytes);
    } catch (error) {
      assert.ok(error instanceof ModelError, `trial ${trial}: ${(error as Error).stack}`);
      refused++;
    }
  }
  t.diagnostic(`${refused} of ${trials} refused`);
  assert.ok(refused > trials / 4, `${refused} of ${trials} refused`);
}

const model = tinyNetwork(new Random(3));
const checkpoint = writePytorch(model);

describe('thousands of damaged files give clear errors', () => {
  const bytes = (length: number) => Uint8Array.from({ length }, (_, index) => (index * index) % 251);
  const entries = [
    { name: 'a.json', data: bytes(500), deflate: true },
    { name: 'b/c', data: bytes(50) },
    { name: 'd', data: new Uint8Array() },
  ];

  test('zip archives: records and contents', (t) => {
    const archives = [
      testZip(entries),
      testZip(entries, { zip64: true, comment: 'x' }),
      testZip(entries.map((entry) => ({ ...entry, zip64: true, descriptor: true }))),
    ];
    fuzz(t, 2000, archives, (archive) => {
      const zip = openZip(archive);
      for (const { name } of zip.entries) zip.read(name);
    });
  });

  test('compressed data', (t) => {
    const packed = (source: Uint8Array): Uint8Array => {
      const archive = testZip([{ name: 'a', data: source, deflate: true }]);
      const [entry] = openZip(archive).entries;
      return archive.slice(entry?.dataOffset, (entry?.dataOffset ?? 0) + (entry?.packedSize ?? 0));
    };
    const sources = [bytes(3000), new Uint8Array(3000), new TextEncoder().encode('abc, abd, '.repeat(300))];
    fuzz(t, 2000, sources.map(packed), (data) => {
      assert.equal(inflate(data, 3000).length, 3000);
    });
  });

  test('checkpoints, and the pickles in them under right checksums', (t) => {
    const pickles = (['views', 'types', 'checkpoint', 'protocol4'] as const).map((name) => {
      const zip = openZip(torchFile(name));
      const folder = zip.entries.find((entry) => entry.name.endsWith('data.pkl'))?.name.slice(0, -8) ?? '';
      const storages = zip.entries.flatMap((entry) => {
        const key = entry.name.startsWith(`${folder}data/`) ? entry.name.slice(folder.length + 5) : null;
        return key === null ? [] : [[key, zip.read(entry.name)]];
      });
      return {
        pickle: zip.read(`${folder}data.pkl`),
        storages: Object.fromEntries(storages) as Record<string, Uint8Array>,
      };
    });
    for (const { pickle, storages } of pickles) {
      fuzz(t, 300, [pickle], readPytorch, (data) => torchZip(data, storages));
    }
    fuzz(t, 200, [checkpoint, torchFile('checkpoint')], readPytorch);
  });

  test('checkpoints in the format before 1.6', (t) => {
    fuzz(t, 600, [legacyFile(checkpoint), torchFile('legacyCheckpoint')], readPytorch);
  });

  test('pickles of random opcodes and values', (t) => {
    const random = new Random(freshSeed(t));
    const names = [
      ['collections', 'OrderedDict'],
      ['torch._utils', '_rebuild_tensor_v2'],
      ['torch._utils', '_rebuild_tensor_v3'],
      ['torch._utils', '_rebuild_parameter'],
      ['torch._tensor', '_rebuild_from_type_v2'],
      ['torch', 'FloatStorage'],
      ['torch', 'float16'],
      ['numpy', 'dtype'],
      ['numpy.core.multiarray', 'scalar'],
      ['_codecs', 'encode'],
      ['builtins', 'set'],
      ['argparse', 'Namespace'],
    ] as const;
    // Opcodes with their arguments.
    const opcodes =
      '( 0 1 2 N \x88 K\x02 ) \x85 \x86 \x87 t ] } \x8f \x91 a e s u \x90 q\x01 h\x01 \x94 R \x81 \x92 b Q C\x01a';
    const pieces = [
      ...opcodes.split(' '),
      ...names.map(([module, name]) => global(module, name)),
      ...['storage', 'latin1', 'f8', '0'].map(text),
      int(-1),
    ];
    for (let trial = 0; trial < 1500; trial++) {
      const parts = Array.from({ length: 1 + (random.uint32() % 60) }, () => pieces[random.uint32() % pieces.length]);
      const data = new Uint8Array(Buffer.from(`\x80\x02${parts.join('')}.`, 'latin1'));
      assert.throws(
        () => readPytorch(torchZip(data)),
        (error) => error instanceof ModelError,
        `trial ${trial}: ${JSON.stringify(parts)}`,
      );
    }
  });

  test('safetensors', (t) => {
    const file = writeSafetensors({ metadata: new Map([['k', 'v']]), tensors: model.weights });
    fuzz(t, 800, [file], readSafetensors);
  });
});

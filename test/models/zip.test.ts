import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 as zlibCrc32, constants, deflateRawSync } from 'node:zlib';
import { type Entry, fromBufferPromise } from 'yauzl';
import { ModelError } from '../../src/models/errors.js';
import { openZip, type ZipArchive } from '../../src/models/formats/zip/archive.js';
import { crc32 } from '../../src/models/formats/zip/crc32.js';
import { inflate } from '../../src/models/formats/zip/inflate.js';
import { writeZip } from '../../src/models/formats/zip/write.js';
import { Random } from '../../src/models/random.js';
import { freshSeed, throwsModelError } from './fixtures.js';
import { type TestArchive, type TestEntry, testZip } from './zipWriter.js';

const text = (value: string): Uint8Array => new TextEncoder().encode(value);
const randomBytes = (random: Random, length: number, values = 256): Uint8Array =>
  Uint8Array.from({ length }, () => random.uint32() % values);
const contents = (zip: ZipArchive): Record<string, string> =>
  Object.fromEntries(zip.entries.map(({ name }) => [name, Buffer.from(zip.read(name)).toString('latin1')]));

describe('zip: checksum and inflate against zlib', () => {
  test('CRC-32 of any length', (t) => {
    const random = new Random(freshSeed(t));
    for (const length of [0, 1, 2, 3, 4, 5, 7, 8, 1000, 65_537]) {
      const bytes = randomBytes(random, length);
      assert.equal(crc32(bytes), zlibCrc32(bytes), `length ${length}`);
    }
  });

  test('what zlib packs, in every kind of block, comes back', (t) => {
    const random = new Random(freshSeed(t));
    const { Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY } = constants;
    for (const length of [0, 1, 3, 300, 70_000]) {
      for (const values of [1, 2, 12, 256]) {
        const bytes = randomBytes(random, length, values);
        for (const strategy of [Z_FIXED, Z_HUFFMAN_ONLY, Z_RLE, Z_DEFAULT_STRATEGY]) {
          for (const level of [0, 1, 9]) {
            const back = inflate(deflateRawSync(bytes, { strategy, level }), length);
            assert.ok(Buffer.from(back).equals(bytes), `${length} of ${values}, strategy ${strategy}, level ${level}`);
          }
        }
      }
    }
  });

  test('data of another length than said, cut or continued, is refused', () => {
    const packed = new Uint8Array(deflateRawSync(text('abcabcabcabc, and some more text')));
    throwsModelError(() => inflate(packed, 31), 'INVALID_FILE', /more than the 31 bytes/);
    throwsModelError(() => inflate(packed, 33), 'INVALID_FILE', /unpacks to 32 bytes; the archive says 33/);
    throwsModelError(() => inflate(packed.subarray(0, -1), 32), 'INVALID_FILE', /ends early/);
    throwsModelError(() => inflate(Uint8Array.of(...packed, 0), 32), 'INVALID_FILE', /1 bytes follow/);
    throwsModelError(() => inflate(Uint8Array.of(7), 0), 'INVALID_FILE', /type 3/);
    throwsModelError(() => inflate(new Uint8Array(), 0), 'INVALID_FILE', /ends early/);
  });
});

describe('zip: reading', () => {
  const entries: TestEntry[] = [
    { name: 'config.json', data: text('{"a":1}'), deflate: true },
    { name: 'weights/ä.bin', data: text('stored') },
    { name: 'empty', data: text('') },
  ];
  const expected = { 'config.json': '{"a":1}', 'weights/ä.bin': 'stored', empty: '' };

  test('stored and deflated files, with comment, descriptors and zip64 records', () => {
    assert.deepEqual(contents(openZip(testZip(entries))), expected);
    assert.deepEqual(contents(openZip(testZip(entries, { comment: 'a comment PK\x05\x06' }))), expected);
    assert.deepEqual(contents(openZip(testZip(entries, { zip64: true }))), expected);
    const wide = entries.map((entry) => ({ ...entry, zip64: true }));
    assert.deepEqual(contents(openZip(testZip(wide, { zip64: true }))), expected);
    const described = entries.map((entry) => ({ ...entry, descriptor: true }));
    assert.deepEqual(contents(openZip(testZip(described))), expected);
  });

  test('folders are left out, and an unknown file is refused', () => {
    const zip = openZip(testZip([{ name: 'a/', data: text(''), unixMode: 0o040755 }, ...entries]));
    assert.deepEqual(contents(zip), expected);
    assert.ok(zip.has('empty') && !zip.has('a/') && !zip.has('constructor'));
    throwsModelError(() => zip.read('b'), 'INVALID_FILE', /no file b/);
  });

  const [first] = entries as [TestEntry];
  const one = (change: Partial<TestEntry>, archive: TestArchive = {}) => testZip([{ ...first, ...change }], archive);
  const bad: [string, Uint8Array, RegExp, ModelError['code']?][] = [
    ['nothing', new Uint8Array(), /at least 22 bytes/],
    ['no end record', one({}).subarray(0, -1), /no end record/],
    ['bytes behind the end', Uint8Array.of(...one({}), 0), /no end record/],
    ['bytes in front', Uint8Array.of(0, ...one({})), /directory should end/],
    ['a path outside', one({ name: '../x' }), /leads out/],
    ['an absolute path', one({ name: '/etc/x' }), /leads out/],
    ['a drive', one({ name: 'C:/x' }), /leads out/],
    ['a path with backslashes', one({ name: '..\\x' }), /backslash/],
    ['an empty part of a path', one({ name: 'a//b' }), /no plain path/],
    ['a name with NUL', one({ name: 'a\0b' }), /control character/],
    ['no name', one({ name: '' }), /1 to 1024/],
    ['a symbolic link', one({ unixMode: 0o120777 }), /link/],
    ['a device', one({ unixMode: 0o020666 }), /special file/],
    ['two entries of one name', testZip([first, first]), /two entries are called config\.json/],
    ['another name in front of the data', one({ centralName: 'config.jsox' }), /another name/],
    ['sizes that differ', one({ centralSize: 3 }), /other sizes/],
    ['a stored entry of two sizes', one({ deflate: false, size: 8 }), /two sizes are 8 and 7/],
    ['more data than there is', one({ deflate: false, size: 9999, packedSize: 9999 }), /more than the archive holds/],
    ['a terabyte', one({ zip64: true, size: 2 ** 40, packedSize: 2 ** 40 }), /more than the archive holds/],
    ['a bomb', one({ size: 2 ** 30 }), /more than 100 times/],
    ['an offset outside', one({ offset: 2 ** 31 }), /no entry at byte/],
    ['an offset that is no entry', one({ offset: 1 }), /no entry at byte 1/],
    ['fewer entries than there are', testZip(entries, { entries: 2 }), /bytes more than its entries take/],
    ['more entries than there are', testZip(entries, { entries: 4 }), /directory is damaged/],
    ['65,535 entries', testZip(entries, { entries: 65_535 }), /directory is damaged/],
    ['a directory elsewhere', testZip(entries, { directoryOffset: 0 }), /directory should end/],
    ['a directory of another size', testZip(entries, { directoryBytes: 10 }), /directory should end/],
    ['4 billion entries', testZip(entries, { entries: 2 ** 32, zip64: true }), /65536 are allowed/],
    ['an encrypted entry', one({ flags: 1 }), /encrypted/, 'UNSUPPORTED'],
    ['another compression', one({ method: 12 }), /method 12/, 'UNSUPPORTED'],
    ['an archive in parts', one({}, { disk: 1 }), /one part of several/, 'UNSUPPORTED'],
  ];
  for (const [what, bytes, message, code = 'INVALID_FILE'] of bad) {
    test(`${what}: refused`, () => throwsModelError(() => openZip(bytes), code as ModelError['code'], message));
  }

  test('overlapping entries are refused: the second lies inside the first', () => {
    const inner = testZip([{ name: 'b', data: text('x') }]).subarray(0, 32);
    const outer: TestEntry = { name: 'a', data: inner };
    const bytes = testZip([outer, { name: 'b', data: text('x'), offset: 31 }]);
    throwsModelError(() => openZip(bytes), 'INVALID_FILE', /a and b overlap/);
  });

  test('a wrong checksum is refused when the file is read', () => {
    for (const deflate of [true, false]) {
      const zip = openZip(one({ crc: 1, deflate }));
      throwsModelError(() => zip.read('config.json'), 'INVALID_FILE', /checksum/);
    }
  });

  test('limits of the caller hold', () => {
    const bytes = testZip(entries);
    throwsModelError(() => openZip(bytes, { maxEntries: 2 }), 'INVALID_FILE', /2 are allowed/);
    const zeros = new Uint8Array(2 ** 20);
    const many = testZip(Array.from({ length: 70 }, (_, index) => ({ name: `${index}`, data: zeros, deflate: true })));
    throwsModelError(() => openZip(many), 'INVALID_FILE', /unpacks to more than/);
    throwsModelError(() => openZip(bytes, { maxBytes: 12 }), 'INVALID_FILE', /more than the 12 bytes/);
  });
});

describe('zip: writing', () => {
  test('yauzl and our reader find the files; data lies at multiples of 64', async (t) => {
    const random = new Random(freshSeed(t));
    const files = Array.from({ length: 40 }, (_, index) => ({
      name: `archive/data/${'x'.repeat(random.uint32() % 70)}${index}`,
      data: randomBytes(random, random.uint32() % 300),
    }));
    const bytes = writeZip(files);
    const ours = openZip(bytes);
    assert.deepEqual(
      ours.entries.map(({ name, dataOffset }) => [name, dataOffset % 64]),
      files.map(({ name }) => [name, 0]),
    );
    for (const { name, data } of files) assert.deepEqual(Buffer.from(ours.read(name)), Buffer.from(data));
    const zip = await fromBufferPromise(Buffer.from(bytes), { lazyEntries: true });
    const found: [string, Buffer][] = [];
    for await (const entry of zip.eachEntry() as AsyncIterable<Entry>) {
      const chunks: Buffer[] = [];
      for await (const chunk of await zip.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
      const content = Buffer.concat(chunks);
      assert.equal(zlibCrc32(content), entry.crc32);
      found.push([entry.fileName, content]);
    }
    assert.deepEqual(
      found,
      files.map(({ name, data }) => [name, Buffer.from(data)]),
    );
    assert.deepEqual(writeZip(files), bytes);
  });

  test('more files than an archive without zip64 holds are refused', () => {
    const files = Array.from({ length: 65_535 }, (_, index) => ({ name: `${index}`, data: new Uint8Array() }));
    throwsModelError(() => writeZip(files), 'UNSUPPORTED', /65535 files/);
  });
});

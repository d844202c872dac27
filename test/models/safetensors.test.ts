import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ModelError } from '../../src/models/errors.js';
import { readModel, readSafetensors, writeModel, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { isSafetensorsIndex, readShardedSafetensors } from '../../src/models/formats/shardedSafetensors.js';
import { Random } from '../../src/models/random.js';
import { freshSeed, throwsModelError, tinyNetwork } from './fixtures.js';

/** A file put together by hand, as the format's description says. */
function file(header: unknown, data: readonly number[] | Uint8Array, headerLength?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + text.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, headerLength ?? BigInt(text.length), true);
  bytes.set(text, 8);
  bytes.set(data, 8 + text.length);
  return bytes;
}

const entry = (dtype: string, shape: number[], begin: number, end: number) => ({
  dtype,
  shape,
  data_offsets: [begin, end],
});

describe('safetensors: reading', () => {
  test('all number types become float32', () => {
    const data = new DataView(new ArrayBuffer(64));
    data.setFloat32(0, 1.5, true);
    data.setUint16(4, 0x3e00, true); // binary16: 1.5
    data.setUint16(6, 0xc100, true); // binary16: -2.5
    data.setUint16(8, 0x3fc0, true); // bfloat16: 1.5
    data.setUint16(10, 0x0001, true); // binary16: the smallest subnormal, 2^-24
    data.setFloat64(12, -1e-3, true);
    data.setBigInt64(20, -7n, true);
    data.setInt32(28, -70000, true);
    data.setInt16(32, -300, true);
    data.setInt8(34, -5);
    data.setUint8(35, 250);
    const bytes = file(
      {
        a: entry('F32', [1], 0, 4),
        b: entry('F16', [2], 4, 8),
        c: entry('BF16', [1, 1], 8, 10),
        d: entry('F16', [], 10, 12),
        e: entry('F64', [1], 12, 20),
        f: entry('I64', [1], 20, 28),
        g: entry('I32', [1], 28, 32),
        h: entry('I16', [1], 32, 34),
        i: entry('I8', [1], 34, 35),
        j: entry('U8', [1], 35, 36),
      },
      new Uint8Array(data.buffer, 0, 36),
    );
    const { tensors } = readSafetensors(bytes);
    const values = Object.fromEntries([...tensors].map(([name, { data: numbers }]) => [name, [...numbers]]));
    assert.deepEqual(values, {
      a: [1.5],
      b: [1.5, -2.5],
      c: [1.5],
      d: [2 ** -24],
      e: [Math.fround(-1e-3)],
      f: [-7],
      g: [-70000],
      h: [-300],
      i: [-5],
      j: [250],
    });
    assert.deepEqual(tensors.get('c')?.shape, [1, 1]);
  });

  test('eight-bit floats: the largest, the smallest, infinity and what is no number', () => {
    // Table 1 of Micikevicius et al. 2022 (arXiv 2209.05433); E8M0: a power of two (OCP Microscaling Formats 1.0, 5.4.1).
    const data = [0x7e, 0x01, 0xfe, 0x7f, 0x7b, 0x01, 0x7c, 0xff, 127, 0, 254, 255];
    const bytes = file(
      { a: entry('F8_E4M3', [4], 0, 4), b: entry('F8_E5M2', [4], 4, 8), c: entry('F8_E8M0', [4], 8, 12) },
      data,
    );
    const { tensors, rounded } = readSafetensors(bytes);
    assert.deepEqual([...(tensors.get('a')?.data ?? [])], [448, 2 ** -9, -448, Number.NaN]);
    assert.deepEqual([...(tensors.get('b')?.data ?? [])], [57_344, 2 ** -16, Number.POSITIVE_INFINITY, Number.NaN]);
    assert.deepEqual([...(tensors.get('c')?.data ?? [])], [1, 2 ** -127, 2 ** 127, Number.NaN]);
    assert.deepEqual(rounded, []);
  });

  test('it is said what is rounded', () => {
    const data = new DataView(new ArrayBuffer(40));
    data.setFloat64(0, 0.5, true);
    data.setFloat64(8, 0.1, true);
    data.setBigInt64(16, 2n ** 24n, true);
    data.setBigInt64(24, 2n ** 24n + 1n, true);
    data.setUint32(32, 2 ** 31, true);
    data.setUint32(36, 2 ** 32 - 1, true);
    const types = { a: 'F64', b: 'F64', c: 'I64', d: 'I64', e: 'U32', f: 'U32' };
    let at = 0;
    const entries = Object.entries(types).map(([name, type]) => {
      const begin = at;
      at += type === 'U32' ? 4 : 8;
      return [name, entry(type, [1], begin, at)];
    });
    const { rounded } = readSafetensors(file(Object.fromEntries(entries), new Uint8Array(data.buffer)));
    assert.deepEqual(rounded, ['b', 'd', 'f']);
  });

  const bad: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(), /at least 10 bytes/],
    ['a header longer than the file', file({}, [], 1000n), /header says/],
    ['a header of 2^63 bytes', file({}, [], 2n ** 63n), /header says/],
    ['a header that is not JSON', file('{"a":', []), /not JSON/],
    ['a header that is a list', file('[]', []), /not a JSON object/],
    ['an entry that is null', file({ a: null }, []), /dtype/],
    ['an unknown dtype', file({ a: entry('F8', [1], 0, 1) }, [0]), /dtype "F8"/],
    ['a header beyond the limit', file(' '.repeat(2 ** 24 + 1), []), /16777216 are allowed/],
    ['a deeply nested header', file('['.repeat(1e6), []), /not JSON/],
    ['a dtype that JavaScript objects inherit', file({ a: entry('constructor', [1], 0, 1) }, [0]), /dtype/],
    ['offsets behind the end', file({ a: entry('F32', [2], 0, 8) }, [0, 0, 0, 0]), /take 8 bytes/],
    [
      'too few bytes for the shape',
      file({ a: entry('F32', [3], 0, 8) }, new Uint8Array(8)),
      /takes 12 bytes; it has 8/,
    ],
    ['negative sizes', file({ a: entry('F32', [-1, -1], 0, 4) }, new Uint8Array(4)), /not possible/],
    [
      'sizes whose product overflows',
      file({ a: entry('U8', [2 ** 40, 2 ** 40], 0, 4) }, new Uint8Array(4)),
      /not possible/,
    ],
    ['offsets that are not integers', file({ a: entry('U8', [1], 0.5, 1.5) }, [0, 0]), /two integers/],
    ['overlapping tensors', file({ a: entry('U8', [2], 0, 2), b: entry('U8', [2], 1, 3) }, [1, 2, 3]), /begins at 1/],
    ['a gap', file({ a: entry('U8', [1], 1, 2) }, [1, 2]), /begins at 1/],
    ['bytes that belong to nothing', file({ a: entry('U8', [1], 0, 1) }, [1, 2]), /holds 2/],
    ['metadata that is not text', file({ __metadata__: { a: 1 } }, []), /metadata a/],
  ];
  for (const [what, bytes, message] of bad) {
    test(`${what} is refused`, () => throwsModelError(() => readSafetensors(bytes), 'INVALID_FILE', message));
  }
});

describe('safetensors: in parts, with an index', () => {
  const part = (...names: string[]): Uint8Array =>
    writeSafetensors({
      metadata: new Map(),
      tensors: new Map(names.map((name, index) => [name, { shape: [1], data: Float32Array.of(index) }])),
    });
  const parts: Record<string, Uint8Array> = { 'x-1.safetensors': part('a', 'b'), 'x-2.safetensors': part('c') };
  const find = (name: string) => parts[name];
  const map = { a: 'x-1.safetensors', c: 'x-2.safetensors', b: 'x-1.safetensors' };

  test('all tensors come from the files that the index says', () => {
    const index = { metadata: { total_size: 12 }, weight_map: map };
    assert.ok(isSafetensorsIndex(index));
    const { tensors } = readShardedSafetensors(index, find);
    assert.deepEqual(
      [...tensors].map(([name, { data }]) => [name, data[0]]),
      [
        ['a', 0],
        ['b', 1],
        ['c', 0],
      ],
    );
  });

  const bad: [string, unknown, RegExp][] = [
    ['a file that is missing', { ...map, d: 'x-3.safetensors' }, /x-3\.safetensors is missing/],
    ['a tensor that its file does not hold', { ...map, d: 'x-2.safetensors' }, /x-2\.safetensors does not hold d/],
    ['a tensor that the index leaves out', { c: map.c, a: map.a }, /x-1\.safetensors holds b, which/],
    ['a file that is no text', { a: 3 }, /the file of a is no text/],
    [
      'thousands of files',
      Object.fromEntries(Array.from({ length: 2000 }, (_, index) => [`t${index}`, `f${index}`])),
      /2000 files; 1024 are allowed/,
    ],
  ];
  for (const [what, weightMap, message] of bad) {
    test(`${what}: refused`, () =>
      throwsModelError(() => readShardedSafetensors({ weight_map: weightMap }, find), 'INVALID_FILE', message));
  }

  test('other JSON is no index', () => {
    for (const value of [null, [], {}, { weight_map: [] }, { weight_map: null }, 'x'])
      assert.ok(!isSafetensorsIndex(value));
  });
});

describe('safetensors: a network with its weights', () => {
  test('comes back as it was, and the same model makes the same bytes', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const bytes = writeModel(model);
    const back = readModel(bytes);
    assert.deepEqual(back.network, model.network);
    assert.deepEqual(back.weights, model.weights);
    const reversed = new Map([...model.weights].reverse());
    assert.deepEqual(writeModel({ network: JSON.parse(JSON.stringify(model.network)), weights: reversed }), bytes);
  });

  test('the header is aligned, and values lie at their offsets', () => {
    const bytes = writeSafetensors({
      metadata: new Map([['k', 'v']]),
      tensors: new Map([['b', { shape: [2], data: Float32Array.of(1, -2) }]]),
    });
    const view = new DataView(bytes.buffer);
    const length = Number(view.getBigUint64(0, true));
    assert.equal(length % 8, 0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    assert.deepEqual(header, { __metadata__: { k: 'v' }, b: entry('F32', [2], 0, 8) });
    assert.deepEqual([view.getFloat32(8 + length, true), view.getFloat32(12 + length, true)], [1, -2]);
  });

  test('weights without a network are refused', () => {
    const bytes = writeSafetensors({ metadata: new Map(), tensors: new Map() });
    throwsModelError(() => readModel(bytes), 'INVALID_FILE', /no network/);
  });

  test('a network that does not fit its weights is refused', (t) => {
    const { network, weights } = tinyNetwork(new Random(freshSeed(t)));
    const fewer = new Map(weights);
    fewer.delete('fc2.bias');
    throwsModelError(() => readModel(writeModel({ network, weights: fewer })), 'INVALID_WEIGHTS', /fc2\.bias/);
  });

  test('truncated and bit-flipped files give ModelError or a valid model, never another error', (t) => {
    const seed = freshSeed(t);
    const random = new Random(seed);
    const bytes = writeModel(tinyNetwork(random));
    for (let trial = 0; trial < 1500; trial++) {
      const copy = bytes.slice(0, trial % 3 === 0 ? random.uint32() % bytes.length : bytes.length);
      if (trial % 3 !== 0) {
        const at = random.uint32() % (trial % 3 === 1 ? 64 : copy.length);
        copy[at] = (copy[at] as number) ^ (1 << (random.uint32() % 8));
      }
      try {
        readModel(copy);
        assert.equal(copy.length, bytes.length, `trial ${trial}: a truncated file was read`);
      } catch (error) {
        assert.ok(error instanceof ModelError, `trial ${trial}: ${String(error)}`);
      }
    }
  });
});

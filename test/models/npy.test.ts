import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { toHalf } from '../../src/kernels/half.js';
import { npyFloats, readNpy, readNpz, writeNpy } from '../../src/models/formats/npy.js';
import { writeZip } from '../../src/models/formats/zip/write.js';
import { Random } from '../../src/models/random.js';
import { ModelError } from '../../src/models/errors.js';
import { freshSeed, throwsModelError } from './fixtures.js';

/** A .npy file by hand, as numpy.lib.format describes it. */
function npy(header: string, values: Uint8Array, version = 1): Uint8Array {
  const text = new TextEncoder().encode(`${header}\n`);
  const prefix = [0x93, ...new TextEncoder().encode('NUMPY'), version, 0, text.length & 255, text.length >> 8];
  return Uint8Array.from([...prefix, ...(version > 1 ? [0, 0] : []), ...text, ...values]);
}
const bytesOf = (array: { buffer: ArrayBufferLike }) => new Uint8Array(array.buffer);
const header = (descr: string, shape: string, fortran = 'False') =>
  `{'descr': '${descr}', 'fortran_order': ${fortran}, 'shape': ${shape}, }`;

describe('NumPy arrays', () => {
  test('all types, both byte orders, all versions of the header', () => {
    const cases: [string, Uint8Array, number[]][] = [
      ['|b1', Uint8Array.of(1, 0), [1, 0]],
      ['|i1', Uint8Array.of(255, 7), [-1, 7]],
      ['|u1', Uint8Array.of(255, 7), [255, 7]],
      ['<i2', bytesOf(Int16Array.of(-300, 300)), [-300, 300]],
      ['>i2', Uint8Array.of(0xfe, 0xd4, 1, 0x2c), [-300, 300]],
      ['<u2', bytesOf(Uint16Array.of(65535, 1)), [65535, 1]],
      ['<i4', bytesOf(Int32Array.of(-70000, 2)), [-70000, 2]],
      ['>u4', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0, 0, 1, 0), [4294967295, 256]],
      ['<i8', bytesOf(BigInt64Array.of(-5n, 2n ** 40n)), [-5, 2 ** 40]],
      ['<u8', bytesOf(BigUint64Array.of(5n, 2n ** 53n)), [5, 2 ** 53]],
      ['<f2', bytesOf(toHalf([0.5, -2])), [0.5, -2]],
      ['<f4', bytesOf(Float32Array.of(0.5, -Infinity)), [0.5, -Infinity]],
      ['>f4', Uint8Array.of(0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0), [1, -2]],
      ['=f8', bytesOf(Float64Array.of(Math.PI, Number.NaN)), [Math.PI, Number.NaN]],
      ['<V1', Uint8Array.of(0x38, 0xb8), [0x38, 0xb8]],
    ];
    for (const [descr, values, expected] of cases) {
      for (const version of [1, 2, 3]) {
        const read = readNpy(npy(header(descr, '(2,)'), values, version));
        assert.deepEqual([...read.data], expected, descr);
        assert.deepEqual(read.shape, [2]);
      }
    }
  });

  test('Fortran order becomes row-major; scalars; empty arrays; entries in any order', () => {
    const values = bytesOf(Float32Array.of(1, 4, 2, 5, 3, 6));
    const read = readNpy(npy(header('<f4', '(2, 3)', 'True'), values));
    assert.deepEqual([...read.data], [1, 2, 3, 4, 5, 6]);
    const scalar = readNpy(npy(header('<f4', '()'), bytesOf(Float32Array.of(7))));
    assert.deepEqual([scalar.shape, [...scalar.data]], [[], [7]]);
    assert.deepEqual(readNpy(npy(header('<f4', '(2, 0, 3)'), new Uint8Array(0))).shape, [2, 0, 3]);
    const other = npy(`{"shape": (1L,), "fortran_order": False, "descr": "<f4"}`, bytesOf(Float32Array.of(3)));
    assert.deepEqual([...readNpy(other).data], [3]);
  });

  test('what is written is read back, aligned to 64 bytes', () => {
    for (const [type, descr, values] of [
      ['float32', 'f4', [0.5, -1.5, 3]],
      ['float64', 'f8', [0.1, 2, 3]],
      ['float16', 'f2', [0.5, 2, -3]],
      ['bfloat16', 'f4', [0.5, 2, -3]],
      ['float8e4m3fn', 'f4', [448, 0.5, Number.NaN]],
      ['int64', 'i8', [-1, 2, 2 ** 24]],
      ['uint64', 'u8', [1, 2, 3]],
      ['int4', 'i1', [-8, 7, 0]],
      ['uint2', 'u1', [3, 0, 1]],
      ['bool', 'b1', [1, 0, 1]],
    ] as const) {
      for (const shape of [[3], [1, 3], [3, 1, 1]]) {
        const file = writeNpy(shape, Float64Array.from(values), type);
        const read = readNpy(file);
        assert.deepEqual([read.type, read.shape, [...read.data]], [descr, shape, [...values]]);
        assert.equal((10 + (file[8] as number) + 256 * (file[9] as number)) % 64, 0);
      }
    }
  });

  test('archives of arrays', () => {
    const files = [
      { name: 'x.npy', data: npy(header('<f4', '(1,)'), bytesOf(Float32Array.of(2))) },
      { name: 'y.npy', data: npy(header('|b1', '(2,)'), Uint8Array.of(1, 0)) },
    ];
    const arrays = readNpz(writeZip(files));
    assert.deepEqual([...arrays.keys()], ['x', 'y']);
    assert.deepEqual([...npyFloats(arrays.get('y') as never)], [1, 0]);
  });

  test('what is no plain array is refused', () => {
    const refuse = (file: Uint8Array, message: RegExp) =>
      throwsModelError(() => readNpy(file), 'INVALID_FILE', message);
    const four = new Uint8Array(4);
    refuse(new Uint8Array(3), /no .npy/);
    refuse(npy(header('<f4', '(1,)'), four, 9), /version 9/);
    refuse(npy(header('<c8', '(1,)'), four), /known are booleans/);
    refuse(npy(header('|O', '(1,)'), four), /known are booleans/);
    refuse(npy(header('<U4', '(1,)'), four), /known are booleans/);
    refuse(npy(header('constructor', '(1,)'), four), /known are booleans/);
    refuse(npy(`{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}`, four), /plain array/);
    refuse(npy(header('<f4', '(2,)'), four), /takes 8 bytes; the file holds 4/);
    refuse(npy(header('<f4', '(99999999999999, 9999999)'), four), /not possible/);
    refuse(npy(header('<f4', `(${'1, '.repeat(40)})`), four), /40 dimensions/);
  });

  test('mutated files give ModelError or an array', (t) => {
    const random = new Random(freshSeed(t));
    const file = writeNpy(
      [2, 3],
      Float32Array.from({ length: 6 }, () => random.uniform()),
      'float32',
    );
    for (let trial = 0; trial < 2000; trial++) {
      const copy = file.slice(0, trial % 4 === 0 ? random.uint32() % file.length : file.length);
      for (let flips = trial % 3; flips > 0; flips--) copy[random.uint32() % copy.length] = random.uint32() & 255;
      try {
        readNpy(copy);
      } catch (error) {
        assert.ok(error instanceof ModelError, `trial ${trial}: ${(error as Error).stack}`);
      }
    }
  });
});

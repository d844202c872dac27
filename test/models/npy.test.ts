import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { npyFloats, readNpy, readNpz } from '../../src/models/formats/npy.js';
import { writeZip } from '../../src/models/formats/zip/write.js';
import { throwsModelError } from './fixtures.js';
import { npy } from './npyWriter.js';

const floats = (...values: number[]) => new Uint8Array(Float32Array.from(values).buffer);

describe('npy', () => {
  test('arrays of each version, byte order and order of axes', () => {
    for (const version of [1, 2, 3]) {
      const array = readNpy(npy('<f4', '(2, 3)', floats(1, 2, 3, 4, 5, 6), { version }));
      assert.deepEqual(array.shape, [2, 3]);
      assert.equal(array.type, 'f32');
      assert.deepEqual([...npyFloats(array)], [1, 2, 3, 4, 5, 6]);
    }
    const columns = readNpy(npy('<f4', '(2, 3)', floats(1, 4, 2, 5, 3, 6), { fortran: 'True' }));
    assert.deepEqual([...npyFloats(columns)], [1, 2, 3, 4, 5, 6]);
    const cube = readNpy(npy('|u1', '(2, 1, 2)', Uint8Array.of(1, 3, 2, 4), { fortran: 'True' }));
    assert.deepEqual([...npyFloats(cube)], [1, 2, 3, 4]);
    assert.deepEqual([...npyFloats(readNpy(npy('>i2', '(2,)', Uint8Array.of(1, 2, 255, 255))))], [258, -1]);
    assert.deepEqual(readNpy(npy('<f8', '()', new Uint8Array(Float64Array.of(0.5).buffer))).shape, []);
    assert.deepEqual([...npyFloats(readNpy(npy('<i8', '(1,)', new Uint8Array(BigInt64Array.of(-7n).buffer))))], [-7]);
    assert.deepEqual(readNpy(npy('<f4', '(0, 4)', new Uint8Array())).shape, [0, 4]);
  });

  test('archives of arrays', () => {
    const files = [
      { name: 'x.npy', data: npy('<f4', '(1,)', floats(2)) },
      { name: 'y.npy', data: npy('|b1', '(2,)', Uint8Array.of(1, 0)) },
    ];
    const arrays = readNpz(writeZip(files));
    assert.deepEqual([...arrays.keys()], ['x', 'y']);
    assert.deepEqual([...npyFloats(arrays.get('y') as never)], [1, 0]);
  });

  test('what is no array, or claims more than it has, is refused', () => {
    const good = npy('<f4', '(2,)', floats(1, 2));
    throwsModelError(() => readNpy(new Uint8Array(4)), 'INVALID_FILE', /no .npy/);
    throwsModelError(() => readNpy(good.subarray(0, good.length - 1)), 'INVALID_FILE', /not 7 bytes/);
    throwsModelError(() => readNpy(npy('<f4', '(999999999, 999999999)', floats(1))), 'INVALID_FILE', /not possible/);
    throwsModelError(() => readNpy(npy('|O', '(1,)', floats(1))), 'INVALID_FILE', /plain array/);
    throwsModelError(() => readNpy(npy("[('a', '<f4')]", '(1,)', floats(1))), 'INVALID_FILE', /plain array/);
    const long = npy('<f4', '(2,)', floats(1, 2), { version: 2 });
    new DataView(long.buffer).setUint32(8, 0xffff_ffff, true);
    throwsModelError(() => readNpy(long), 'INVALID_FILE', /4294967295 bytes/);
  });
});

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { ImportReport } from '../../src/models/conversion.js';
import { importModel } from '../../src/models/detect.js';
import { ModelError } from '../../src/models/errors.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { importTflite } from '../../src/models/formats/tflite.js';
import { OPERATOR_NAMES } from '../../src/models/formats/tflite/operatorNames.js';
import { Random } from '../../src/models/random.js';
import { simplify } from '../../src/models/simplify.js';
import { assertClose, freshSeed, relativeError, throwsModelError, toChw } from './fixtures.js';
import { onnxOutput } from './onnxRuntime.js';

const folder = new URL('../../../test/fixtures/tflite/', import.meta.url);
const read = (name: string): Uint8Array => readFileSync(new URL(name, folder));

interface Expected {
  readonly shape: readonly [number, number, number, number];
  readonly pictures: readonly number[];
  readonly outputs: readonly number[];
}
const expected = JSON.parse(new TextDecoder().decode(read('expected.json'))) as Record<string, Expected>;

async function outputs(name: string): Promise<Float32Array[]> {
  const { shape, pictures } = expected[name] as Expected;
  const [batch, height, width, channels] = shape;
  const imported = importTflite(read(`${name}.tflite`));
  const input = toChw(pictures, shape);
  const results: Float32Array[] = [];
  for (const model of [imported, simplify(imported)]) {
    const { data } = await onnxOutput(exportOnnx(model), [batch, channels, height, width], input);
    results.push(data);
  }
  return results;
}

describe("TensorFlow Lite's files compute here what its interpreter computes", () => {
  for (const name of ['float32', 'float16', 'shapes']) {
    test(name, async () => {
      for (const data of await outputs(name)) assertClose(data, (expected[name] as Expected).outputs, 1e-5);
    });
  }

  // The interpreter rounds activations to 8 bits as well: of probabilities, which differ by some steps of 1/256.
  for (const name of ['int8weights', 'int8', 'uint8']) {
    test(`${name}, but for the rounding of activations`, async () => {
      for (const data of await outputs(name)) {
        const error = relativeError(data, (expected[name] as Expected).outputs);
        assert.ok(error < 0.03, `relative error ${error}`);
      }
    });
  }
});

test('weights are dequantised: within half a step of those that they were made from', () => {
  const exact = importTflite(read('float32.tflite'));
  const kernels = (model: typeof exact) => [...model.weights].filter(([name]) => name.endsWith('kernel'));
  const quantized = kernels(importTflite(read('int8.tflite')));
  const original = kernels(exact);
  assert.equal(quantized.length, original.length);
  original.forEach(([name, { shape, data }], index) => {
    const [, other] = quantized[index] as (typeof quantized)[number];
    assert.deepEqual(other.shape, shape, name);
    const outputs = shape[0] as number;
    for (let channel = 0; channel < outputs; channel++) {
      const part = (values: Float32Array) =>
        values.subarray((channel * data.length) / outputs, ((channel + 1) * data.length) / outputs);
      // Dense layers have one scale for all.
      const range = shape.length === 2 ? data : part(data);
      const step = Math.max(...range.map(Math.abs)) / 127;
      part(data).forEach((value, place) => {
        assert.ok(Math.abs(value - (part(other.data)[place] as number)) <= step * 0.51, `${name}, channel ${channel}`);
      });
    }
  });
});

test('what an import did is said, and quantised inputs give the preprocessing', () => {
  const report = new ImportReport();
  const { network } = importTflite(read('uint8.tflite'), { report });
  const conversion = report.conversion('TensorFlow Lite');
  assert.equal(conversion.version, '3');
  assert.match(conversion.folded.join(), /quantised weights dequantised/);
  assert.match(conversion.ignored.join(), /quantised activations/);
  assert.ok(conversion.mapped.some(({ from, to }) => from === 'CONV_2D' && to === 'conv2d + activation'));
  const { scale, mean, std } = network.preprocessing;
  // The pictures of the calibration lie in -1..1: a byte is (byte - 127) / 127.5 there.
  assert.equal(scale, 1);
  assert.ok(Math.abs(mean[0] - 127.5) <= 1 && Math.abs(std[0] - 127.5) < 0.1, `${mean[0]}, ${std[0]}`);
  assert.deepEqual(importTflite(read('int8.tflite')).network.preprocessing, network.preprocessing);
});

test('the format is recognised by what is in a file', () => {
  const model = importModel({ upload: read('float16.tflite') });
  assert.equal(model.format, 'tflite');
  assert.notEqual(model.network.layers.at(-1)?.kind, 'softmax');
});

/** Where the operator codes of a file hold `code`: a table's byte that is followed by what the field's width says. */
function withOperator(name: string, from: string, to: string): Uint8Array {
  const bytes = Uint8Array.from(read(name));
  const view = new DataView(bytes.buffer);
  const at = (offset: number) => offset + view.getUint32(offset, true);
  const field = (table: number, index: number) => {
    const vtable = table - view.getInt32(table, true);
    return table + view.getUint16(vtable + 4 + 2 * index, true);
  };
  const codes = at(field(at(0), 1));
  for (let index = 0; index < view.getUint32(codes, true); index++) {
    const code = at(codes + 4 + 4 * index);
    if (view.getInt8(field(code, 0)) === OPERATOR_NAMES.indexOf(from)) {
      view.setInt8(field(code, 0), OPERATOR_NAMES.indexOf(to));
      return bytes;
    }
  }
  throw new Error(`${name} has no ${from}`);
}

describe('what TensorFlow Lite files must not have', () => {
  test('operators that Graft has no layer for: all in one list, by name', () => {
    assert.throws(
      () => importTflite(withOperator('float32.tflite', 'TANH', 'COS')),
      (error) => {
        assert.ok(error instanceof ModelError && error.code === 'UNSUPPORTED');
        assert.deepEqual(
          error.problems.map(({ kind, attribute }) => [kind, attribute]),
          [['COS', null]],
        );
        return true;
      },
    );
  });

  test('files that end early', () => {
    const bytes = read('int8.tflite');
    for (const length of [8, 20, 400, bytes.length >> 1, bytes.length - 64]) {
      assert.throws(() => importTflite(bytes.subarray(0, length)), ModelError);
    }
    throwsModelError(() => importTflite(Uint8Array.of(1, 2, 3)), 'INVALID_FILE');
  });

  test('damaged files give ModelError', (t) => {
    const random = new Random(freshSeed(t));
    const names = ['shapes.tflite', 'int8.tflite', 'float16.tflite'];
    for (let trial = 0; trial < 600; trial++) {
      const name = names[trial % names.length] as string;
      const bytes = Uint8Array.from(read(name));
      for (let change = 0; change < 1 + (random.uint32() % 6); change++) {
        const at = random.uint32() % bytes.length;
        bytes[at] = random.uint32() % 2 ? random.uint32() & 0xff : (bytes[at] as number) ^ (1 << (random.uint32() % 8));
      }
      try {
        importTflite(bytes);
      } catch (error) {
        assert.ok(error instanceof ModelError, `trial ${trial} of ${name}: ${String(error)}`);
      }
    }
  });
});

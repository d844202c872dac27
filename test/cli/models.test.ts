import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { readNpy, writeNpy } from '../../src/models/formats/npy.js';
import type { ValueType } from '../../src/models/layers/input.js';
import { externalTensor, INT64, onnxFile, tensor, valueInfo } from '../models/onnxWriter.js';
import { node } from '../models/onnxNetworks.js';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'graft-infer-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const graft = (...args: string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
function array(name: string, shape: readonly number[], values: readonly number[], type: ValueType = 'float32'): string {
  writeFileSync(at(name), writeNpy(shape, values, type));
  return at(name);
}
const result = (name: string) => {
  const { shape, type, data } = readNpy(readFileSync(at(name)));
  return { shape: [...shape], type, data: [...data] };
};

/** Two inputs and two outputs: a picture times a factor, reshaped as the second input says, and its shape. */
const TWO = onnxFile({
  nodes: [
    node('Mul', 'a b', {}, 'product'),
    node('Reshape', 'product shape', {}, 'y'),
    node('ArgMax', 'product', { axis: 1, keepdims: 0 }, 'best'),
  ],
  inputs: [valueInfo('a', ['N', 3]), valueInfo('b', [1]), valueInfo('shape', ['R'], INT64)],
  outputs: [valueInfo('y', ['P', 'Q']), valueInfo('best', ['N'], INT64)],
});

describe('graft infer', () => {
  test('several inputs and outputs, by name and by position; a shape that is an input', () => {
    writeFileSync(at('two.onnx'), TWO);
    const a = array('a=b.npy', [2, 3], [1, 5, 3, 4, 2, 6]);
    const b = array('b.npy', [1], [2], 'float64');
    const shape = array('shape.npy', [2], [3, -1], 'int64');
    const run = graft(
      'infer',
      at('two.onnx'),
      '--input',
      `shape=${shape}`,
      a,
      b,
      '--output',
      at('y.npy'),
      at('best.npy'),
    );
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(result('y.npy'), { shape: [3, 2], type: 'f4', data: [2, 10, 6, 8, 4, 12] });
    assert.deepEqual(result('best.npy'), { shape: [2], type: 'i8', data: [1, 2] });
    const printed = graft('infer', at('two.onnx'), '--input', `b=${b}`, `a=${a}`, `--input=${shape}`);
    assert.match(printed.stdout, /^y: float32 \[3, 2\], from 2 to 12, mean 7\nbest: int64 \[2\], from 1 to 2/);
  });

  test('values in a file of their own', () => {
    mkdirSync(at('external'));
    writeFileSync(join(at('external'), 'values.bin'), new Uint8Array(Float32Array.of(10, 20, 30).buffer));
    const spec = {
      nodes: [node('Add', 'x w')],
      inputs: [valueInfo('x', ['N', 3])],
      outputs: [valueInfo('y', ['N', 3])],
    };
    const path = join(at('external'), 'model.onnx');
    writeFileSync(path, onnxFile({ ...spec, initializers: [externalTensor('w', [3], 'values.bin', 0, 12)] }));
    const x = array('x.npy', [1, 3], [1, 2, 3]);
    const run = graft('infer', path, '--input', x, '--output', at('sum.npy'));
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(result('sum.npy').data, [11, 22, 33]);
    for (const location of ['../values.bin', '/etc/hostname', 'C:\\values.bin']) {
      writeFileSync(path, onnxFile({ ...spec, initializers: [externalTensor('w', [3], location, 0, 12)] }));
      const refused = graft('infer', path, '--input', x);
      assert.deepEqual([refused.status, /no file beside the model/.test(refused.stderr)], [1, true], refused.stderr);
    }
  });

  test('exit status 3 with the list of what is not supported', () => {
    const nodes = [node('LSTM', 'x', {}, 'a', 'memory'), node('NonZero', 'a', {}, 'y', 'places')];
    writeFileSync(at('odd.onnx'), onnxFile({ nodes, inputs: [valueInfo('x', [1, 3])] }));
    const run = graft(
      'infer',
      at('odd.onnx'),
      '--input',
      array('x3.npy', [1, 3], [1, 2, 3]),
      '--output',
      at('none.npy'),
    );
    assert.equal(run.status, 3);
    assert.match(run.stderr, /- LSTM memory\n- NonZero places\nUnsupported: LSTM, NonZero\n$/);
    const STRING = 8;
    writeFileSync(at('words.onnx'), onnxFile({ nodes: [node('Relu', 'x')], inputs: [valueInfo('x', [1], STRING)] }));
    const words = graft('infer', at('words.onnx'));
    assert.equal(words.status, 3);
    assert.match(words.stderr, /Unsupported: tensor of data type 8\n$/);
  });

  test('what does not fit is said, without a stack; usage is 2, all else 1', () => {
    writeFileSync(at('two.onnx'), TWO);
    const a = array('a.npy', [2, 3], [1, 5, 3, 4, 2, 6]);
    const cases: [string[], number, RegExp][] = [
      [['infer'], 2, /infer takes a model/],
      [['infer', at('two.onnx'), '--ouput', 'y.npy'], 2, /takes no --ouput/],
      [['infer', at('missing.onnx')], 1, /There is no file/],
      [['infer', at('two.onnx'), '--input', at('missing.npy')], 1, /cannot be read/],
      [['infer', at('two.onnx'), '--input', `a=${a}`, `a=${a}`], 1, /a is given twice/],
      [
        ['infer', at('two.onnx'), '--input', `a=${array('flat.npy', [6], [1, 2, 3, 4, 5, 6])}`],
        1,
        /a is \[\?, 3\]; got \[6\]/,
      ],
      [['infer', at('two.onnx'), '--input', `typo=${a}`], 1, /^There is no input typo; the model has: a, b, shape\.$/m],
      [['infer', a], 1, /Graft imports/],
    ];
    for (const [args, status, message] of cases) {
      const run = graft(...args);
      assert.deepEqual([run.status, message.test(run.stderr)], [status, true], `${args.join(' ')}: ${run.stderr}`);
      assert.doesNotMatch(run.stderr, /\n\s+at /);
    }
  });
});

describe('where graft infer writes', () => {
  const nodes = [node('Mul', 'x x', {}, 'scores')];
  const inputs = [valueInfo('x', ['N', 3])];
  const file = onnxFile({ nodes, inputs, outputs: [valueInfo('scores', ['N', 3])] });

  test('missing folders are made; unknown names and impossible paths are refused in one line', () => {
    writeFileSync(at('square.onnx'), file);
    const x = array('square.npy', [1, 3], [1, 2, 1 / 3]);
    const infer = (...outputs: string[]) => graft('infer', at('square.onnx'), '--input', x, ...outputs);
    const made = infer('--output', `scores=${at('new/deep/y.npy')}`);
    assert.equal(made.status, 0, made.stderr);
    assert.deepEqual(result('new/deep/y.npy').shape, [1, 3]);
    mkdirSync(at('runs=1'));
    assert.equal(infer('--output', at('runs=1/y.npy')).status, 0);
    const unknown = infer('--output', `nosuch=${at('y.npy')}`);
    assert.deepEqual([unknown.status, unknown.stderr], [1, 'There is no output nosuch; the model has: scores.\n']);
    const impossible = infer('--output', `${x}/y.npy`);
    assert.equal(impossible.status, 1);
    assert.match(impossible.stderr, /^The output file .* cannot be written: .*\n$/);
    assert.match(infer().stdout, /^scores: float32 \[1, 3\], from 0\.11111 to 4, mean 1\.7037\n$/);
  });
});

test('a file that is no model is refused without those that it names', () => {
  writeFileSync(at('plain.onnx'), onnxFile({ nodes: [node('Relu', 'x')], inputs: [valueInfo('x', ['N', 3])] }));
  writeFileSync(at('notes.txt'), 'plain.onnx');
  writeFileSync(at('README.md'), 'See notes.txt and plain.onnx.');
  for (const command of ['infer', 'inspect']) {
    const { status, stderr } = graft(command, at('README.md'));
    assert.equal(status, 1);
    assert.match(stderr, /; README\.md is in no format that Graft knows\.\n$/);
    assert.doesNotMatch(stderr, /notes/);
  }
});

describe('graft inspect', () => {
  test('layers, shapes, parameters; JSON', () => {
    const file = onnxFile({
      nodes: [
        node('Conv', 'x w', { pads: [1, 1, 1, 1] }, 'c', 'conv'),
        node('GlobalAveragePool', 'c', {}, 'p', 'pool'),
        node('Flatten', 'p', {}, 'y', 'flat'),
      ],
      initializers: [tensor('w', [4, 3, 3, 3], Array<number>(108).fill(0.5))],
      inputs: [valueInfo('x', ['N', 3, 'H', 'W'])],
    });
    writeFileSync(at('small.onnx'), file);
    const text = graft('inspect', at('small.onnx'), '--size', '32');
    assert.equal(text.status, 0, text.stderr);
    assert.match(text.stdout, /conv +conv2d +\[N, 4, 32, 32\] +108/);
    assert.match(text.stdout, /108 parameters, 110,592 multiply-adds/);
    assert.match(text.stdout, /preprocessing: 32 x 32/);
    assert.match(text.stdout, /assumed \(ImageNet's\).*: .*scale, mean, std$/m);
    const json = JSON.parse(graft('inspect', at('small.onnx'), '--json', '--size=32').stdout) as {
      layers: { name: string; shape: (number | null)[] }[];
      outputs: unknown;
    };
    assert.deepEqual(
      json.layers.map(({ name }) => name),
      ['x', 'conv', 'pool', 'flat'],
    );
    assert.deepEqual(json.outputs, [{ name: 'y', type: 'float32', shape: [null, 4] }]);
  });
});

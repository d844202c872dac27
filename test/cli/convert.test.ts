import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { importModel } from '../../src/models/detect.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import { readPytorch } from '../../src/models/formats/pytorch.js';
import { writeModel } from '../../src/models/formats/safetensors.js';
import { Random } from '../../src/models/random.js';
import type { Receipt } from '../../src/models/receipt.js';
import { freshSeed, tinyNetwork } from '../models/fixtures.js';
import { FLOAT, INT64, onnxFile, tensor, valueInfo } from '../models/onnxWriter.js';
import { node } from '../models/onnxNetworks.js';

const CLI = fileURLToPath(new URL('../../src/cli.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'graft-convert-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const at = (name: string) => join(folder, name);
const graft = (...args: string[]) => spawnSync(process.execPath, [CLI, ...args], { encoding: 'utf8' });
const read = (name: string) => new Uint8Array(readFileSync(at(name)));

describe('graft convert', () => {
  test('between formats, by the ending of the name', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    writeFileSync(at('a.safetensors'), writeModel(model));
    const run = graft('convert', at('a.safetensors'), at('b.onnx'), '--compare');
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^in safetensors\n/);
    assert.match(run.stdout, /^out ONNX \(operator set 17\)\n {2}2 conv2d -> Conv$/m);
    assert.match(run.stdout, /^compared with onnxruntime-node .* on 2 inputs: \d/m);
    assert.match(run.stdout, /^wrote .*b\.onnx$/m);
    assert.deepEqual(read('b.onnx'), exportOnnx(model));
    const dict = graft('convert', at('b.onnx'), at('c.pth'));
    assert.equal(dict.status, 0, dict.stderr);
    assert.match(dict.stdout, /^WARNING: A state dict holds no network/m);
    assert.deepEqual([...readPytorch(read('c.pth')).tensors.keys()].sort(), [...model.weights.keys()].sort());
  });

  test('into a folder, and from there and from its zip into a file again', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    writeFileSync(at('d.safetensors'), writeModel(model));
    assert.equal(graft('convert', at('d.safetensors'), `${at('pets')}/`).status, 0);
    assert.ok(readdirSync(at('pets')).includes('README.md'));
    assert.equal(graft('convert', at('pets'), at('pets.zip')).status, 0);
    const run = graft('convert', at('pets.zip'), at('e.safetensors'));
    assert.equal(run.status, 0, run.stderr);
    assert.deepEqual(importModel({ e: read('e.safetensors') }).network, model.network);
  });

  test('into a folder, telling what it leaves out', () => {
    const nodes = [
      node('Resize', 'x   sizes', { mode: 'linear', coordinate_transformation_mode: 'asymmetric' }, 'r'),
      node('GlobalAveragePool', 'r', {}, 'm'),
      node('Flatten', 'm', {}, 'y'),
    ];
    const initializers = [tensor('sizes', [4], [1, 3, 12, 12], INT64)];
    writeFileSync(at('r.onnx'), onnxFile({ nodes, initializers, inputs: [valueInfo('x', [1, 3, 8, 8])] }));
    const run = graft('convert', at('r.onnx'), `${at('resized')}/`);
    assert.equal(run.status, 0, run.stderr);
    assert.match(run.stdout, /^left out tfjs: .+$/m);
    assert.doesNotMatch(run.stdout, /ignored: labels/);
  });

  test('with labels and preprocessing that the file does not say, and a receipt as JSON', () => {
    const nodes = [node('GlobalAveragePool', 'x', {}, 'm'), node('Flatten', 'm', {}, 'f'), node('Gemm', 'f w')];
    const initializers = [tensor('w', [3, 2], [1, 2, 3, 4, 5, 6], FLOAT)];
    writeFileSync(at('f.onnx'), onnxFile({ nodes, initializers, inputs: [valueInfo('x', ['N', 3, 8, 8])] }));
    writeFileSync(at('labels.txt'), 'ant\nbee\n');
    writeFileSync(at('pre.json'), JSON.stringify({ mean: [0, 0, 0], std: [1, 1, 1], scale: 255, channelOrder: 'BGR' }));
    const silent = graft('convert', at('f.onnx'), at('g.safetensors'));
    assert.match(silent.stdout, /^WARNING: Preprocessing channelOrder, scale, mean, std:/m);
    const options = ['--labels', at('labels.txt'), '--preprocessing', at('pre.json'), '--json'];
    const run = graft('convert', at('f.onnx'), at('g.safetensors'), ...options);
    assert.equal(run.status, 0, run.stderr);
    const { in: incoming, files } = JSON.parse(run.stdout) as { in: Receipt; files: string[] };
    assert.deepEqual(incoming.warnings, []);
    assert.deepEqual(files, [at('g.safetensors')]);
    const { network } = importModel({ g: read('g.safetensors') });
    assert.deepEqual(network.classes, ['ant', 'bee']);
    assert.equal(network.preprocessing.channelOrder, 'BGR');
    const inside = ['--pictures', 'uint8-nhwc', '--softmax', '--format', 'onnx', '--json'];
    const graph = graft('convert', at('g.safetensors'), at('h.bin'), ...inside);
    assert.equal(graph.status, 0, graph.stderr);
    assert.match(graph.stdout, /a softmax was added/);
  });

  test('a command line that is not understood, and a file that cannot be converted', () => {
    for (const args of [
      ['only'],
      ['a', 'b', 'c'],
      ['a', 'b.xyz'],
      ['a', 'b', '--format', 'xyz'],
      ['a', 'b.onnx', '--pictures', 'x'],
    ]) {
      assert.equal(graft('convert', ...args).status, 2, args.join(' '));
    }
    writeFileSync(at('bad.onnx'), new Uint8Array([8, 9, 0x3a, 200, 1, 1]));
    const run = graft('convert', at('bad.onnx'), at('never.safetensors'));
    assert.equal(run.status, 1);
    assert.ok(!existsSync(at('never.safetensors')));
    const strange = onnxFile({ nodes: [node('Strange', 'x')], inputs: [valueInfo('x', ['N', 3, 8, 8])] });
    writeFileSync(at('strange.onnx'), strange);
    const refused = graft('convert', at('strange.onnx'), at('never.safetensors'));
    assert.equal(refused.status, 3, refused.stderr);
    assert.match(refused.stderr, /Strange/);
  });
});

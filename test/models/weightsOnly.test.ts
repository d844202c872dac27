import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { densenet121 } from '../../src/models/architectures/densenet.js';
import { matchArchitecture } from '../../src/models/architectures/match.js';
import { ARCHITECTURES, buildArchitecture } from '../../src/models/architectures/registry.js';
import { resnet18, resnet50 } from '../../src/models/architectures/resnet.js';
import { importModel } from '../../src/models/detect.js';
import { writePytorch } from '../../src/models/formats/pytorch/write.js';
import { writeSafetensors } from '../../src/models/formats/safetensors.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Weights, WeightTensor } from '../../src/models/network.js';
import { weightSpecs } from '../../src/models/shapes.js';
import { modelOfWeights } from '../../src/models/weightsOnly.js';
import { throwsModelError } from './fixtures.js';
import { dict, int, pickle, tensor as tensorText, torchZip } from './pickles.js';

const one = (...shape: number[]): WeightTensor => ({
  shape,
  data: new Float32Array(shape.reduce((product, size) => product * size, 1)).fill(1),
});

const network = resnet18({ classes: 3 });
const weights = initializeWeights(network, 7);
/** timm's name, its shape, torchvision's name: `timmNames.py` wrote them, and checked them by the logits. */
const TIMM = JSON.parse(readFileSync('test/models/torchvision/timmNames.json', 'utf8')) as Readonly<
  Record<string, readonly (readonly [string, readonly number[], string])[]>
>;

/** Numbers of the largest tensor: all are views of one storage of zeros. */
const SIZE = Math.max(...[...weights.values()].map(({ data }) => data.length));
const strides = (shape: readonly number[]): number[] =>
  shape.map((_, axis) => shape.slice(axis + 1).reduce((product, size) => product * size, 1));

const renamed = (source: Weights, name: (old: string) => string): Weights =>
  new Map([...source].map(([old, tensor]) => [name(old), tensor]));

/** Names, shapes and bytes; `deepEqual` takes seconds for millions of numbers. */
function assertSame(actual: Weights, expected: Weights): void {
  const facts = (tensors: Weights) => [...tensors].map(([name, { shape }]) => `${name} ${shape.join()}`).sort();
  assert.deepEqual(facts(actual), facts(expected));
  for (const [name, tensor] of expected) {
    assert.deepEqual(Object.keys(actual.get(name) as WeightTensor).sort(), ['data', 'shape'], name);
    const bytes = ({ data }: WeightTensor) => Buffer.from(data.buffer, data.byteOffset, data.byteLength);
    assert.ok(bytes(actual.get(name) as WeightTensor).equals(bytes(tensor)), name);
  }
}

describe('files that hold weights alone', () => {
  test('a PyTorch state dict and a safetensors file are the network that they fit', () => {
    const files = {
      pytorch: writePytorch({ network, weights }),
      safetensors: writeSafetensors({ metadata: new Map(), tensors: weights }),
    };
    for (const [format, file] of Object.entries(files)) {
      const imported = importModel({ 'upload-3': file });
      assert.equal(imported.format, format);
      assert.deepEqual(imported.network, network);
      assertSame(imported.weights, weights);
    }
  });

  test('the receipt tells what was taken off, ignored and rounded', () => {
    const tensors = Object.fromEntries(
      [...weights].map(([name, { shape }]) => [
        `module.${name}`,
        tensorText({ shape, stride: strides(shape), elements: SIZE }),
      ]),
    );
    const scalar = { shape: [], stride: [], key: '1', storage: 'LongStorage', elements: 1 };
    tensors['module.bn1.num_batches_tracked'] = tensorText(scalar);
    tensors['module.bn1.bias'] = tensorText({
      shape: [64],
      stride: [1],
      key: '2',
      storage: 'DoubleStorage',
      elements: 64,
    });
    const checkpoint = torchZip(pickle(dict({ epoch: int(3), model: dict(tensors) })), {
      0: new Uint8Array(SIZE * 4),
      1: new Uint8Array(8).fill(1),
      2: new Uint8Array(new Float64Array(64).fill(0.1).buffer),
    });
    const { conversion } = importModel({ f: checkpoint });
    assert.deepEqual(conversion.folded.slice(0, 3), [
      'the weights are under model',
      'module. is taken off the names',
      'rounded to float32: bn1.bias',
    ]);
    assert.deepEqual(conversion.ignored, [
      'epoch: 3',
      'num_batches_tracked: 1 counters, which only training in PyTorch reads',
    ]);
  });

  test('safetensors in parts are one network, wherever the parts lie', () => {
    const names = [...weights.keys()];
    const parts = [names.slice(0, 40), names.slice(40)].map(
      (own) => new Map(own.map((name) => [name, weights.get(name) as WeightTensor])),
    );
    const map = parts.flatMap((tensors, index) =>
      [...tensors.keys()].map((name) => [name, `model-${index}.safetensors`]),
    );
    const index = JSON.stringify({ metadata: { total_size: 1 }, weight_map: Object.fromEntries(map) });
    const imported = importModel({
      'repository/model.safetensors.index.json': new TextEncoder().encode(index),
      ...Object.fromEntries(
        parts.map((tensors, number) => [
          `repository/model-${number}.safetensors`,
          writeSafetensors({ metadata: new Map(), tensors }),
        ]),
      ),
    });
    assert.equal(imported.format, 'safetensors');
    assertSame(imported.weights, weights);
  });

  test('every built-in architecture is recognised by the shapes of its own weights', () => {
    for (const name of Object.keys(ARCHITECTURES)) {
      // Shapes alone are compared: no values are made.
      const empty = new Map(
        weightSpecs(buildArchitecture(name, { classes: 11 })).map((spec) => [
          spec.name,
          { shape: spec.shape, data: new Float32Array() },
        ]),
      );
      assert.deepEqual(matchArchitecture(empty), buildArchitecture(name, { classes: 11 }), name);
    }
  });

  test("DenseNet's old names, with a dot inside", () => {
    const dense = densenet121({ classes: 2 });
    const own = initializeWeights(dense, 1);
    const old = renamed(own, (name) => name.replace(/(denselayer\d+\.(?:norm|conv))([12]\.)/, '$1.$2'));
    assert.ok(old.has('features.denseblock1.denselayer1.norm.1.running_mean'));
    for (const options of [{}, { architecture: 'densenet121' }]) {
      const model = modelOfWeights(old, 'PyTorch', options);
      assert.deepEqual(model.network, dense);
      assertSame(model.weights, own);
    }
  });

  describe("timm's names", () => {
    for (const [architecture, pairs] of Object.entries(TIMM)) {
      test(architecture, () => {
        const specs = new Map(
          weightSpecs(buildArchitecture(architecture, { classes: 5 })).map(({ name, shape }) => [name, shape]),
        );
        const tensors = new Map<string, WeightTensor>();
        const expected = new Map<string, WeightTensor>();
        const add = (timm: string, shape: readonly number[], own: string) => {
          const data = Float32Array.of(tensors.size);
          tensors.set(timm, { shape, data });
          expected.set(own, { shape: specs.get(own) ?? [], data });
        };
        for (const [timm, shape, own] of pairs) {
          add(timm, shape, own);
          for (const statistic of ['running_mean', 'running_var']) {
            const [theirs, ours] = [timm, own].map((name) => name.replace(/weight$/, statistic)) as [string, string];
            if (ours !== own && specs.has(ours)) add(theirs, shape, ours);
          }
        }
        const model = modelOfWeights(tensors, 'safetensors');
        assert.equal(model.network.architecture, architecture);
        assertSame(model.weights, expected);
      });
    }
  });

  test('what fits nothing is refused with the nearest and the differences', () => {
    const changed = new Map(weights);
    changed.delete('layer4.1.bn2.bias');
    changed.set('layer1.0.se.weight', one(1));
    changed.set('layer2.0.conv1.weight', one(128, 64, 1, 1));
    const message =
      /PyTorch file .* nearest is resnet18: missing are layer4\.1\.bn2\.bias; other shapes have layer2\.0\.conv1\.weight \[128, 64, 1, 1\] instead of \[128, 64, 3, 3\]; unknown are layer1\.0\.se\.weight\. Import the network as ONNX, as safetensors with its network\.json, or as a folder/;
    throwsModelError(() => modelOfWeights(changed, 'PyTorch'), 'UNKNOWN_FORMAT', message);
    throwsModelError(
      () => modelOfWeights(new Map([['a', one(1)]]), 'PyTorch'),
      'UNKNOWN_FORMAT',
      /architecture\. Import the network as ONNX/,
    );
    throwsModelError(() => modelOfWeights(new Map(), 'PyTorch'), 'UNKNOWN_FORMAT');
  });

  test('an architecture that is given takes what it needs', () => {
    const more = new Map([...weights, ['criterion.weight', one(3)]]);
    throwsModelError(() => modelOfWeights(more, 'PyTorch'), 'UNKNOWN_FORMAT', /unknown are criterion\.weight/);
    const model = modelOfWeights(more, 'PyTorch', { architecture: 'resnet18', inputSize: 96 });
    assert.deepEqual(model.network, resnet18({ classes: 3, inputSize: 96 }));
    assert.equal(model.weights.size, weights.size);
    throwsModelError(
      () => modelOfWeights(weights, 'PyTorch', { architecture: 'resnet34' }),
      'INVALID_WEIGHTS',
      /not the weights of resnet34: missing are layer1\.2\.conv1\.weight, .* and \d+ more/,
    );
    throwsModelError(
      () => modelOfWeights(weights, 'PyTorch', { architecture: 'toString' }),
      'INVALID_ARGUMENT',
      /no architecture toString; built in are/,
    );
  });

  test('networks of equal names are told apart by shapes', () => {
    const deep = weightSpecs(resnet50()).map(({ name }) => name);
    for (const name of ['wide_resnet50_2', 'resnext50_32x4d']) {
      assert.deepEqual(
        weightSpecs(buildArchitecture(name)).map((spec) => spec.name),
        deep,
      );
    }
  });

  test('a classifier of impossible size is refused', () => {
    for (const shape of [[0, 512], [2 ** 30, 512], [], [3]]) {
      const changed = new Map(weights).set('fc.weight', { shape, data: new Float32Array() });
      throwsModelError(() => modelOfWeights(changed, 'PyTorch'), 'UNKNOWN_FORMAT', /nearest is resnet18/);
    }
  });
});

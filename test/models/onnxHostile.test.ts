import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { ModelError } from '../../src/models/errors.js';
import { importOnnx, importOnnxGraph } from '../../src/models/formats/onnx.js';
import { Random } from '../../src/models/random.js';
import { freshSeed, uniform } from './fixtures.js';
import { node, picture } from './onnxNetworks.js';
import { INT64, type NodeSpec, onnxFile, rawTensor, tensor, valueInfo } from './onnxWriter.js';

const ints = (name: string, ...values: number[]) => tensor(name, [values.length], values, INT64);

/** Refused with a ModelError, in memory that this process has anyway. */
function refuses(file: Uint8Array, message: RegExp): void {
  const before = process.memoryUsage().rss;
  assert.throws(
    () => importOnnxGraph(file),
    (error) => {
      assert.ok(error instanceof ModelError, `${(error as Error).stack}`);
      assert.match(error.message, message);
      return true;
    },
  );
  const grown = process.memoryUsage().rss - before;
  assert.ok(grown < 2 ** 30, `${grown} bytes more`);
}

const graph = (nodes: readonly NodeSpec[], initializers: readonly Uint8Array[], opset = 13) =>
  onnxFile({ nodes, initializers, inputs: [valueInfo('x', [1, 3, 4, 4])], opset });

describe('hostile ONNX files', () => {
  test('constants of terabytes', () => {
    const large = [2 ** 20, 2 ** 20];
    refuses(graph([node('ConstantOfShape', 's', {}, 'y')], [ints('s', ...large)]), /not possible/);
    refuses(graph([node('ConstantOfShape', 's', {}, 'y')], [ints('s', 2 ** 15, 2 ** 15)]), /constant values/);
    refuses(graph([node('Expand', 'c s', {}, 'y')], [tensor('c', [1], [1]), ints('s', ...large)]), /not possible/);
    refuses(graph([node('Tile', 'c s', {}, 'y')], [tensor('c', [2], [1, 2]), ints('s', 2 ** 40)]), /not possible/);
    const range = [0, 1e15, 1].map((value, i) => tensor(`r${i}`, [], [value], INT64));
    refuses(graph([node('Range', 'r0 r1 r2', {}, 'y')], range), /not possible/);
    // Each doubles the one before.
    const doubling = Array.from({ length: 40 }, (_, i) =>
      node('Concat', i === 0 ? 'c c' : `d${i - 1} d${i - 1}`, { axis: 0 }, `d${i}`),
    );
    refuses(graph(doubling, [tensor('c', [1024], new Float32Array(1024))]), /constant values|not possible/);
  });

  test('layers of terabytes', () => {
    const s = ints('s', 1, 3, 2 ** 20, 2 ** 20);
    refuses(graph([node('Expand', 'p s')], [tensor('p', [1], [1]), s]), /not possible/);
    refuses(graph([node('Tile', 'x s')], [s]), /integer|at most|element/i);
    const scales = [tensor('none', [0], []), tensor('scales', [4], [1, 1, 1e6, 1e6])];
    refuses(graph([node('Resize', 'x none scales', {})], scales), /would have/);
    refuses(graph([node('Upsample', 'x scales', {})], scales, 9), /would have/);
    refuses(graph([node('Pad', 'x pads')], [ints('pads', 0, 0, 2 ** 40, 0, 0, 0, 0, 0)]), /integer|at most/);
    const depth = [tensor('depth', [], [2 ** 50], INT64), tensor('values', [2], [0, 1])];
    refuses(graph([node('OneHot', 'x depth values')], depth), /depth/);
    refuses(
      graph([node('Conv', 'x w', { pads: [0, 0, 2 ** 33, 0] })], [tensor('w', [1, 3, 1, 1], [1, 1, 1])]),
      /must be/,
    );
    refuses(graph([node('MaxPool', 'x', { kernel_shape: [2 ** 40, 1] })], []), /must be|kernel|small/);
  });

  test('cycles, and values that come later or never', () => {
    refuses(graph([node('Add', 'x b', {}, 'a'), node('Relu', 'a', {}, 'b')], []), /reads b, which does not exist yet/);
    refuses(graph([node('Relu', 'y', {}, 'y')], []), /reads y/);
    refuses(graph([node('Relu', 'x', {}, 'a')], []), /output y does not exist/);
    refuses(graph([node('Relu', 'x', {}, 'y'), node('Abs', 'x', {}, 'y')], []), /defined twice/);
  });

  test('a million nodes; ten thousand layers', () => {
    const one = new Uint8Array([0x0a, 0x00]);
    const nodes = new Uint8Array(2_000_000);
    for (let at = 0; at < nodes.length; at += 2) nodes.set(one, at);
    const file = new BinaryWriter().tag(1, WireType.Varint).int64(8).tag(7, WireType.LengthDelimited).bytes(nodes);
    const opset = new BinaryWriter().tag(2, WireType.Varint).int64(13).finish();
    refuses(file.tag(8, WireType.LengthDelimited).bytes(opset).finish(), /more than 100000 nodes/);
    const long = Array.from({ length: 12_000 }, (_, i) => node('Relu', i === 0 ? 'x' : `v${i - 1}`, {}, `v${i}`));
    refuses(graph(long, []), /more than 10000 layers/);
  });

  test('graphs in graphs in graphs', () => {
    let inner = new Uint8Array(0);
    for (let depth = 0; depth < 5_000; depth++) {
      // A node with an attribute that is a graph with a node with ...
      const attribute = new BinaryWriter().tag(6, WireType.LengthDelimited).bytes(inner).finish();
      const holder = new BinaryWriter().tag(4, WireType.LengthDelimited).string('If');
      const whole = holder.tag(5, WireType.LengthDelimited).bytes(attribute).finish();
      inner = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(whole).finish() as Uint8Array<ArrayBuffer>;
    }
    const file = new BinaryWriter().tag(1, WireType.Varint).int64(8).tag(7, WireType.LengthDelimited).bytes(inner);
    const opset = new BinaryWriter().tag(2, WireType.Varint).int64(13).finish();
    refuses(file.tag(8, WireType.LengthDelimited).bytes(opset).finish(), /If/);
  });

  test('dimensions without end', () => {
    const many = Array<number>(200).fill(1);
    refuses(graph([node('Identity', 'w')], [rawTensor('w', many, 1, new Uint8Array(4))]), /200 dimensions/);
    refuses(onnxFile({ nodes: [node('Relu', 'x')], inputs: [valueInfo('x', many)] }), /200 dimensions/);
    refuses(
      graph([node('Unsqueeze', 'x axes')], [ints('axes', ...Array.from({ length: 60 }, (_, i) => i))]),
      /at most 8/,
    );
    refuses(graph([node('Transpose', 'x', { perm: [0, 0, 1, 2] })], []), /permutation/);
  });

  test('bits of a file with many operators: a graph, or ModelError', (t) => {
    const random = new Random(freshSeed(t));
    const nodes = [
      node('Conv', 'x w b', { strides: [2, 2], pads: [1, 1, 1, 1] }, 'c'),
      node('QuantizeLinear', 'c scale zero', {}, 'q'),
      node('DequantizeLinear', 'q scale zero', {}, 'd'),
      node('Resize', 'd none scales', { mode: 'linear' }, 'r'),
      node('Slice', 'r from to axes', {}, 's'),
      node('Split', 's parts', { axis: 1 }, 'a e'),
      node('Tile', 'a times', {}, 'tiled'),
      node('Concat', 'tiled e', { axis: 1 }, 'j'),
      node('Pad', 'j pads', { mode: 'reflect' }, 'p'),
      node('Shape', 'p', {}, 'shape'),
      node('Gather', 'shape from', { axis: 0 }, 'n'),
      node('Concat', 'n minus', { axis: 0 }, 'target'),
      node('Reshape', 'p target', {}, 'f'),
      node('TopK', 'f k', { axis: 1 }, 'y i'),
    ];
    const file = onnxFile({
      nodes,
      initializers: [
        tensor('w', [4, 3, 3, 3], uniform(random, 108)),
        tensor('b', [4], uniform(random, 4)),
        tensor('scale', [1], [0.1]),
        rawTensor('zero', [1], 3, new Uint8Array(1)),
        tensor('none', [0], []),
        tensor('scales', [4], [1, 1, 2, 2]),
        ints('from', 0),
        ints('to', 3),
        ints('axes', 2),
        ints('parts', 1, 3),
        ints('times', 1, 2, 1, 1),
        ints('pads', 0, 0, 1, 1, 0, 0, 1, 1),
        ints('minus', -1),
        ints('k', 3),
      ],
      inputs: [picture(3, 9, 9)],
    });
    assert.ok(importOnnxGraph(file).graph.layers.length > 10);
    let imported = 0;
    for (let trial = 0; trial < 600; trial++) {
      const copy = file.slice(0, trial % 5 === 0 ? random.uint32() % file.length : file.length);
      for (let flips = 1 + (trial % 3); flips > 0 && copy.length > 0; flips--) {
        const at = random.uint32() % copy.length;
        copy[at] = trial % 2 === 0 ? random.uint32() & 255 : (copy[at] as number) ^ (1 << (random.uint32() % 8));
      }
      for (const read of [importOnnxGraph, importOnnx]) {
        try {
          read(copy);
          imported++;
        } catch (error) {
          assert.ok(error instanceof ModelError, `trial ${trial}: ${(error as Error).stack}`);
        }
      }
    }
    assert.ok(imported > 0);
  });
});

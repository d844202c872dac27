import { existsSync, readFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { concat } from '../../src/kernels/ops/concat/concat.js';
import { expand } from '../../src/kernels/ops/expand/expand.js';
import { flatten } from '../../src/kernels/ops/flatten/flatten.js';
import { gather } from '../../src/kernels/ops/gather/gather.js';
import { matmul } from '../../src/kernels/ops/matmul/matmul.js';
import { pad } from '../../src/kernels/ops/pad/pad.js';
import { averagePool, maxPool } from '../../src/kernels/ops/pool/pool.js';
import { reduceL2, reduceMax, reduceMean, reduceSum } from '../../src/kernels/ops/reduce/reduce.js';
import { reshape, squeeze, unsqueeze } from '../../src/kernels/ops/reshape/reshape.js';
import type { ResizeCoordinates } from '../../src/kernels/ops/resize/coordinates.js';
import { type NearestRounding, resize } from '../../src/kernels/ops/resize/resize.js';
import { slice, split } from '../../src/kernels/ops/slice/slice.js';
import { transpose } from '../../src/kernels/ops/transpose/transpose.js';
import { samePadding } from '../../src/kernels/ops/window.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import { type OnnxNode, readOnnxModel } from '../../src/models/formats/onnx/proto.js';
import { type Constant, readConstant } from '../../src/models/formats/onnx/tensor.js';
import { onnxFile, valueInfo } from '../models/onnxWriter.js';
import { assertClose } from './checkOp.js';
import { openFamilies } from './engines.js';

const FOLDER = '../shared/conformance/onnx-node';

/** A TensorProto file, read as the initializer of a file made around it. */
function readTensorFile(path: string): Constant {
  const bytes = new Uint8Array(readFileSync(path));
  const proto = readOnnxModel(onnxFile({ nodes: [], initializers: [bytes], inputs: [valueInfo('x', [1])] }));
  const [initializer] = proto.graph.initializers;
  if (!initializer) throw new Error(`${path} holds no tensor`);
  return readConstant(initializer, path, () => undefined);
}

/** What a test's operator is given: tensors of the plan as asked for, and the values of those that are attributes to us. */
class Given {
  readonly values: Record<string, ArrayBufferView> = {};

  constructor(
    readonly b: PlanBuilder,
    readonly node: OnnxNode,
    readonly inputs: ReadonlyMap<string, Constant>,
  ) {}

  constant(position: number): Constant | null {
    return this.inputs.get(this.node.inputs[position] ?? '') ?? null;
  }

  numbers(position: number): number[] | null {
    const constant = this.constant(position);
    return constant && [...constant.data];
  }

  tensor(position: number, layout: 'dense' | 'rows' = 'dense'): Tensor {
    const { shape, data } = this.constant(position) as Constant;
    const name = `input ${position}`;
    this.values[name] = Float32Array.from(data);
    return this.b.input(name, shape, { layout });
  }

  int(name: string, fallback: number): number {
    return this.node.attributes.get(name)?.int ?? fallback;
  }
  text(name: string, fallback: string): string {
    return this.node.attributes.get(name)?.text ?? fallback;
  }
  ints(name: string): number[] | null {
    const ints = this.node.attributes.get(name)?.ints;
    return ints ? [...ints] : null;
  }
}

type Pair = readonly [number, number];

function pooled(given: Given, kind: 'max' | 'average'): Tensor {
  const x = given.tensor(0, 'rows');
  const kernel = given.ints('kernel_shape') as unknown as Pair;
  const stride = (given.ints('strides') ?? [1, 1]) as unknown as Pair;
  const dilation = (given.ints('dilations') ?? [1, 1]) as unknown as Pair;
  const [top = 0, left = 0, bottom = 0, right = 0] = given.ints('pads') ?? [];
  const auto = given.text('auto_pad', 'NOTSET');
  const size = x.shape.slice(2) as unknown as Pair;
  const padding = auto.startsWith('SAME')
    ? samePadding(size, kernel, stride, dilation, auto === 'SAME_LOWER')
    : { top, left, bottom, right };
  const attributes = { kernel, stride, dilation, padding, ceilMode: given.int('ceil_mode', 0) === 1 };
  if (kind === 'max') return maxPool(given.b, x, attributes);
  return averagePool(given.b, x, { ...attributes, countIncludePad: given.int('count_include_pad', 0) === 1 });
}

function reduced(given: Given, op: typeof reduceSum): Tensor {
  const axes = given.numbers(1) ?? given.ints('axes');
  const keepDims = given.int('keepdims', 1) === 1;
  const isNothing = (!axes || axes.length === 0) && given.int('noop_with_empty_axes', 0) === 1;
  if (isNothing) return op(given.b, given.tensor(0), { axes: [], keepDims });
  return op(given.b, given.tensor(0), { ...(axes && axes.length > 0 ? { axes } : {}), keepDims });
}

function resized(given: Given): Tensor {
  const x = given.tensor(0, 'rows');
  const axes = given.ints('axes') ?? [0, 1, 2, 3];
  const along = <T>(list: readonly T[], axis: number, fallback: T) => list[axes.indexOf(axis)] ?? fallback;
  const scales = given.numbers(2)?.length ? (given.numbers(2) as number[]) : null;
  const sizes = given.numbers(3);
  const [height, width] = x.shape.slice(2) as [number, number];
  const scale = scales && ([along(scales, 2, 1), along(scales, 3, 1)] as const);
  const size = scale
    ? ([Math.floor(height * scale[0]), Math.floor(width * scale[1])] as const)
    : ([along(sizes as number[], 2, height), along(sizes as number[], 3, width)] as const);
  return resize(given.b, x, {
    size,
    ...(scale ? { scale } : {}),
    mode: given.text('mode', 'nearest') as 'nearest' | 'linear',
    coordinates: given.text('coordinate_transformation_mode', 'half_pixel') as ResizeCoordinates,
    rounding: given.text('nearest_mode', 'round_prefer_floor') as NearestRounding,
  });
}

const OPERATORS: Record<string, (given: Given) => Tensor | Tensor[]> = {
  AveragePool: (given) => pooled(given, 'average'),
  MaxPool: (given) => pooled(given, 'max'),
  Concat: (given) =>
    concat(
      given.b,
      given.node.inputs.map((_, i) => given.tensor(i)),
      given.int('axis', 0),
    ),
  Expand: (given) => expand(given.b, given.tensor(0), given.numbers(1) as number[]),
  Flatten: (given) => flatten(given.b, given.tensor(0), given.int('axis', 1)),
  Gather: (given) => {
    const data = given.tensor(0);
    const axis = given.int('axis', 0);
    const { shape, data: indices } = given.constant(1) as Constant;
    const size = data.shape[axis < 0 ? axis + data.shape.length : axis] as number;
    given.values.indices = Uint32Array.from(indices, (index) => (index < 0 ? index + size : index));
    return gather(given.b, data, given.b.input('indices', shape, { layout: 'dense', dtype: 'u32' }), axis);
  },
  MatMul: (given) => matmul(given.b, given.tensor(0), given.tensor(1)),
  Pad: (given) => {
    const x = given.tensor(0);
    const pads = given.numbers(1) as number[];
    const axes = given.numbers(3) ?? [...x.shape.keys()];
    const paddings = axes.map((axis, i) => ({
      axis,
      before: pads[i] as number,
      after: pads[i + axes.length] as number,
    }));
    const border = given.text('mode', 'constant') as 'constant' | 'reflect' | 'edge';
    return pad(given.b, x, paddings, { border, value: given.numbers(2)?.[0] ?? 0 });
  },
  ReduceL2: (given) => reduced(given, reduceL2),
  ReduceMax: (given) => reduced(given, reduceMax),
  ReduceMean: (given) => reduced(given, reduceMean),
  ReduceSum: (given) => reduced(given, reduceSum),
  Reshape: (given) => {
    const x = given.tensor(0);
    const asked = (given.numbers(1) as number[]).map((size, axis) => (size === 0 ? (x.shape[axis] as number) : size));
    const known = asked.reduce((product, size) => (size === -1 ? product : product * size), 1);
    const total = x.shape.reduce((product, size) => product * size, 1);
    return reshape(
      given.b,
      x,
      asked.map((size) => (size === -1 ? total / known : size)),
    );
  },
  Resize: resized,
  Slice: (given) => {
    const x = given.tensor(0);
    const [starts, ends] = [given.numbers(1) as number[], given.numbers(2) as number[]];
    const axes = given.numbers(3) ?? starts.map((_, i) => i);
    const steps = given.numbers(4) ?? starts.map(() => 1);
    const ranges = axes.map((axis, i) => ({
      axis,
      start: starts[i] as number,
      end: ends[i] as number,
      step: steps[i] as number,
    }));
    return slice(given.b, x, ranges);
  },
  Split: (given) => {
    const x = given.tensor(0);
    const axis = given.int('axis', 0);
    const count = given.node.outputs.length;
    const size = Math.ceil((x.shape[axis] as number) / count);
    const even = Array.from({ length: count }, (_, i) => Math.min(size, (x.shape[axis] as number) - i * size));
    return split(given.b, x, axis, given.numbers(1) ?? even);
  },
  Squeeze: (given) => squeeze(given.b, given.tensor(0), given.numbers(1) ?? undefined),
  Transpose: (given) => {
    const x = given.tensor(0);
    return transpose(given.b, x, given.ints('perm') ?? [...x.shape.keys()].reverse());
  },
  Unsqueeze: (given) => unsqueeze(given.b, given.tensor(0), given.numbers(1) as number[]),
};

/** Tests of the ONNX project that the ops express: floats, no empty tensors, what this engine has. */
const TESTS = [
  'averagepool_2d_default',
  'averagepool_2d_precomputed_strides',
  'averagepool_2d_strides',
  'concat_1d_axis_0',
  'concat_2d_axis_0',
  'concat_2d_axis_negative_2',
  'concat_3d_axis_0',
  'concat_3d_axis_1',
  'concat_3d_axis_2',
  'concat_3d_axis_negative_1',
  'constant_pad_axes',
  'constant_pad_negative_axes',
  'expand_dim_unchanged',
  'flatten_axis0',
  'flatten_axis3',
  'flatten_negative_axis4',
  'gather_0',
  'gather_1',
  'gather_negative_indices',
  'matmul_2d',
  'matmul_4d',
  'matmul_bcast',
  'maxpool_2d_ceil',
  'maxpool_2d_default',
  'maxpool_2d_dilations',
  'maxpool_2d_same_lower',
  'maxpool_2d_strides',
  'reduce_l2_default_axes_keepdims_example',
  'reduce_l2_negative_axes_keep_dims_example',
  'reduce_l2_negative_axes_keep_dims_random',
  'reduce_max_default_axes_keepdim_example',
  'reduce_max_do_not_keepdims_random',
  'reduce_max_keepdims_example',
  'reduce_max_keepdims_random',
  'reduce_max_negative_axes_keepdims_example',
  'reduce_max_negative_axes_keepdims_random',
  'reduce_mean_default_axes_keepdims_example',
  'reduce_mean_keepdims_example',
  'reduce_mean_negative_axes_keepdims_example',
  'reduce_mean_negative_axes_keepdims_random',
  'reduce_sum_do_not_keepdims_random',
  'reduce_sum_empty_axes_input_noop',
  'reshape_extended_dims',
  'reshape_negative_extended_dims',
  'reshape_reduced_dims',
  'reshape_reordered_all_dims',
  'reshape_zero_and_negative_dim',
  'reshape_zero_dim',
  'resize_downsample_scales_linear',
  'resize_downsample_sizes_linear_pytorch_half_pixel',
  'resize_downsample_sizes_nearest',
  'resize_upsample_sizes_nearest_axes_3_2',
  'resize_upsample_sizes_nearest_floor_align_corners',
  'slice',
  'slice_default_axes',
  'slice_end_out_of_bounds',
  'slice_neg',
  'slice_neg_steps',
  'slice_negative_axes',
  'split_2d_uneven_split_opset18',
  'split_equal_parts_default_axis_opset13',
  'split_variable_parts_1d_opset13',
  'split_variable_parts_1d_opset18',
  'split_variable_parts_2d_opset18',
  'squeeze',
  'transpose_all_permutations_1',
  'transpose_all_permutations_2',
  'transpose_all_permutations_3',
  'transpose_all_permutations_4',
  'transpose_all_permutations_5',
  'transpose_default',
  'unsqueeze_axis_2',
  'unsqueeze_negative_axes',
  'unsqueeze_unsorted_axes',
];

const absent = !existsSync(FOLDER) && `${FOLDER} is not there`;
describe("the ops against the ONNX project's single-operator tests", { skip: absent }, () => {
  let opened: Awaited<ReturnType<typeof openFamilies>>;
  before(async () => {
    opened = await openFamilies();
  });
  after(() => opened.close());
  for (const name of TESTS) {
    test(name, async (t) => {
      if (opened.skipped) t.diagnostic(opened.skipped);
      const folder = `${FOLDER}/test_${name}`;
      const { graph } = readOnnxModel(new Uint8Array(readFileSync(`${folder}/model.onnx`)));
      const node = graph.nodes[0] as OnnxNode;
      const data = (part: string) => readTensorFile(`${folder}/test_data_set_0/${part}.pb`);
      const inputs = new Map(graph.inputs.map((input, i) => [input.name, data(`input_${i}`)]));
      for (const { engine, family } of opened.families) {
        const given = new Given(new PlanBuilder(engine), node, inputs);
        const ys = [(OPERATORS[node.operator] as (given: Given) => Tensor | Tensor[])(given)].flat();
        ys.forEach((y, i) => given.b.output(`${i}`, y));
        const plan = await given.b.compile({ poison: true });
        const read = await plan.run(given.values)();
        plan.dispose();
        ys.forEach((_, i) => assertClose(read[i] as Float32Array, data(`output_${i}`).data, `${family}: ${i}`, 2e-5));
      }
    });
  }
});

import { linearGrid, MAX_GROUPS, read, write } from '../../dispatch.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, quadCount, rowLayout, type Shape, type Tensor } from '../../tensor.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import { broadcastStrides, type Operand, type Walk, walk } from './broadcast.js';
import {
  equalSource,
  type Formula,
  planeSource,
  type PlaneMode,
  serialSumSource,
  stridedSource,
  sumSource,
} from './source.js';

const WORKGROUP = 64;
/** So that what is loaded per row pays. */
const QUADS_PER_INVOCATION = 4;

export interface Elementwise {
  readonly label: string;
  readonly formula: Formula;
  /** As many as the formula names; each broadcasts to the shape of the result. */
  readonly operands: readonly Operand[];
}

/** result = the formula of the operands, element by element. */
export function elementwise(b: PlanBuilder, options: Elementwise, result: Tensor): Tensor {
  const { label, formula, operands } = options;
  const bindings = [...operands.map(({ tensor }) => read(tensor)), write(result)];
  const areEqual = operands.every(
    ({ tensor, shape }) => tensor.layout === result.layout && shape.join() === result.shape.join(),
  );
  if (areEqual) {
    b.dispatch({
      label,
      program: { label: `elementwise ${formula.expression}`, code: equalSource(formula) },
      bindings,
      uniforms: [quadCount(result)],
      workgroups: linearGrid(quadCount(result)),
    });
    return result;
  }
  const planes = planesOf(operands, result);
  if (planes) {
    const { rows, columns, stride } = rowLayout(result.shape);
    const quadsPerRow = stride / 4;
    const straddles = planes.pixels % 4 !== 0;
    const modes = planes.operands.map(({ mode }) => mode);
    b.dispatch({
      label,
      program: { label: `planes ${formula.expression}`, code: planeSource(formula, modes, straddles) },
      bindings,
      uniforms: [
        quadsPerRow,
        columns,
        planes.pixels,
        columns / planes.pixels,
        ...planes.operands.flatMap(({ rowStride, imageStride }) => [rowStride, imageStride]),
      ],
      workgroups: [Math.ceil(quadsPerRow / (WORKGROUP * QUADS_PER_INVOCATION)), rows, 1],
    });
    return result;
  }
  const strides = [{ tensor: result, shape: result.shape }, ...operands].map((each) =>
    broadcastStrides(each, result.shape),
  );
  const loops = walk([...result.shape.keys()], result.shape, strides);
  const count = elementCount(result.shape);
  b.dispatch({
    label,
    program: { label: `strided ${formula.expression}`, code: stridedSource(formula, loops.sizes.length) },
    bindings,
    uniforms: [count, ...loopUniforms(loops)],
    workgroups: linearGrid(count),
  });
  return result;
}

const loopUniforms = ({ sizes, strides }: Walk): number[] =>
  sizes.flatMap((size, loop) => [size, ...strides.map((steps) => steps[loop] as number)]);

interface Planes {
  /** Of an image. */
  readonly pixels: number;
  readonly operands: readonly { mode: PlaneMode; rowStride: number; imageStride: number }[];
}

/** How the operands lie where each is as the result or constant over rows or over the images in them; null where one is not. */
function planesOf(operands: readonly Operand[], result: Tensor): Planes | null {
  if (result.layout !== 'rows' || rowLayout(result.shape).rows > MAX_GROUPS) return null;
  const [images = 1] = result.shape;
  const pixels = elementCount(result.shape.slice(2));
  const found: Planes['operands'][number][] = [];
  for (const each of operands) {
    if (each.tensor.layout === 'rows' && each.shape.join() === result.shape.join()) {
      found.push({ mode: 'same', rowStride: 0, imageStride: 0 });
      continue;
    }
    const [imageStride = 0, rowStride = 0, ...withinImage] = broadcastStrides(each, result.shape);
    if (withinImage.some((stride) => stride !== 0)) return null;
    const mode = imageStride === 0 || images === 1 ? 'row' : 'image';
    // A quad would reach over more than two images.
    if (mode === 'image' && pixels < 4) return null;
    found.push({ mode, rowStride, imageStride });
  }
  return { pixels, operands: found };
}

/** Elements under one workgroup above which a sum with few results is taken in two steps. */
const LONG_SUM = 4096;
const FEW_RESULTS = 32;
/** Up to which length a sum is left to one invocation, where there are many of them. */
const SHORT_SUM = 64;
const MANY_RESULTS = 256;

/**
 * result = the sum of the formula over the dimensions of `whole` in which the result repeats. The order of the addends is
 * fixed.
 */
export function summed(b: PlanBuilder, options: Elementwise, whole: Shape, result: Operand): Tensor {
  const { label, formula, operands } = options;
  const shape = [...Array<number>(whole.length - result.shape.length).fill(1), ...result.shape];
  const isReduced = (dimension: number) => shape[dimension] === 1 && whole[dimension] !== 1;
  const dimensions = [...whole.keys()];
  const count = elementCount(shape);
  const length = elementCount(whole) / count;
  const reduced = dimensions.filter(isReduced);
  if (count < FEW_RESULTS && length > LONG_SUM && reduced.length > 1) {
    // A second sum over the longest dimension, so that there is more than a handful of workgroups.
    const longest = reduced.reduce((best, d) => ((whole[d] as number) > (whole[best] as number) ? d : best));
    const partial = whole.map((size, d) => (isReduced(d) && d !== longest ? 1 : size));
    const sums = b.temporary(`${label} partial sums`, partial, { layout: 'dense' });
    summed(b, options, whole, { tensor: sums, shape: partial });
    const rest = { label, formula: { names: ['x'], expression: 'x' }, operands: [{ tensor: sums, shape: partial }] };
    return summed(b, rest, partial, result);
  }
  const strides = operands.map((each) => broadcastStrides(each, whole));
  const kept = walk(
    dimensions.filter((d) => !isReduced(d)),
    whole,
    [broadcastStrides(result, whole), ...strides],
  );
  const inner = walk(reduced, whole, strides);
  const isSerial = length <= SHORT_SUM && count >= MANY_RESULTS;
  const source = isSerial ? serialSumSource : sumSource;
  b.dispatch({
    label,
    program: {
      label: `sum ${formula.expression}`,
      code: source(formula, kept.sizes.length, inner.sizes.length),
      ...(isSerial ? {} : { constants: reductionLanes(b) }),
    },
    bindings: [...operands.map(({ tensor }) => read(tensor)), write(result.tensor)],
    uniforms: [count, length, ...loopUniforms(kept), ...loopUniforms(inner)],
    workgroups: isSerial ? linearGrid(count) : linearGrid(count, 1),
  });
  return result.tensor;
}

import { type Binding, type Float32Uniform, read, readWrite, write } from '../../dispatch.js';
import type { Engine, Program } from '../../engine.js';
import { type PlanBuilder } from '../../planBuilder.js';
import { alignTo, type Tensor } from '../../tensor.js';
import { fusedActivation } from '../activation/fused.js';
import type { Activation } from '../activation/kinds.js';
import { geometryUniforms, type OperandKind, type PatchGeometry } from './operand.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from './parameters.js';
import { divideUp, type ProductContract, type ProductVariant, productVariants } from './productVariant.js';
import { subgroupProductSource } from './subgroupProduct.js';
import { tiledProductSource } from './tiledProduct.js';
import { twin, twinEpilogue } from './twins.js';

/** Right operand: the tensor and where in it B[k, n] lies. Strides and offsets in elements. */
export interface RightOperand {
  readonly tensor: Tensor;
  readonly kind: OperandKind;
  /** From one group's operand to the next. */
  readonly groupOffset: number;
  /** `rows`, `strided`: from k to k + 1. Patches: from one channel's plane to the next. */
  readonly stride: number;
  /** `strided` only: from n to n + 1. */
  readonly columnStride?: number;
  /** Patches only. */
  readonly geometry?: PatchGeometry;
}

/** C[g, m, n] = sum over k of A[g, m, k] B[g, k, n], then what `epilogue` asks for. */
export interface ProductOptions {
  readonly label: string;
  readonly groups: number;
  /** Rows of A and C within a group. */
  readonly rows: number;
  readonly columns: number;
  readonly depth: number;
  readonly left: Tensor;
  /** From one row of A to the next; groups follow each other. */
  readonly leftStride: number;
  readonly right: RightOperand;
  /** Rows follow each other, each padded to whole quads. With `parts`, one such result after the other. */
  readonly result: Tensor;
  /** Parts into which the range of k is cut; `result` holds each part's sums. 1 without. */
  readonly parts?: number;
  readonly epilogue?: {
    /** Per row, dense [groups * rows]. */
    readonly bias?: Tensor | null;
    /** Same shape as `result`. */
    readonly residual?: Tensor | null;
    readonly activation?: Activation | null;
  };
}

const NO_GEOMETRY: PatchGeometry = {
  size: [1, 1],
  kernel: [1, 1],
  pixels: [1, 1],
  step: [1, 1],
  tap: [1, 1],
  start: [0, 0],
  divisor: [1, 1],
};

/**
 * Workgroups that an adapter runs at a time, and as many as keep it busy although some end before others. GPUs: from the number of
 * their cores, 8 to 16 in a processor's own graphics, 30 to 130 on cards, with room for several workgroups in each.
 */
const PARALLELISM = {
  software: { slots: null, enough: 16 },
  integrated: { slots: 48, enough: 192 },
  discrete: { slots: 192, enough: 768 },
} as const;

/** The family for GPUs on a software adapter, where tests run it, counts as a small GPU. */
const parallelism = ({ kernelFamily, adapter }: Engine) =>
  PARALLELISM[kernelFamily === 'workgroup' && adapter.kind === 'software' ? 'integrated' : adapter.kind];

/** Length of one part: a multiple of 16, of 64 where it is long, so that only the last chunk of the last part is not full. */
function partLength(depth: number, parts: number): number {
  const length = divideUp(depth, parts);
  return alignTo(length, length < 512 ? 16 : 64);
}

/** How many parts to cut a long sum into so that there are enough workgroups. */
export function partsFor(b: PlanBuilder, groups: number, rows: number, columns: number, depth: number): number {
  const family = b.engine.kernelFamily;
  const blocks = groups * divideUp(columns, 64) * divideUp(rows, family === 'workgroup' ? 64 : 128);
  const wanted = Math.max(1, Math.min(divideUp(parallelism(b.engine).enough, blocks), Math.floor(depth / 256)));
  // Rounding a part's length up may leave nothing for the last ones; an empty part would never be written.
  return divideUp(depth, partLength(depth, wanted));
}

const isDivided = ({ right }: ProductOptions): boolean => (right.geometry?.divisor ?? []).some((value) => value > 1);

const hasEpilogue = ({ epilogue }: ProductOptions): boolean =>
  Boolean(epilogue?.bias || epilogue?.residual || epilogue?.activation);

function contractOf(b: PlanBuilder, options: ProductOptions): ProductContract {
  const { groups, rows, columns, depth, parts = 1 } = options;
  const family = b.engine.kernelFamily;
  return {
    family,
    operand: options.right.kind,
    divided: isDivided(options),
    groups,
    rows,
    columns,
    depth: Math.min(depth, partLength(depth, parts)),
    parts,
    slots: parallelism(b.engine).slots ?? b.engine.cores,
  };
}

/** What a product's time depends on. */
function contractKey(contract: ProductContract, options: ProductOptions): string {
  const { left, right, result, leftStride } = options;
  const types = [left, right.tensor, result].map(({ dtype }) => dtype);
  const taps = right.geometry ? geometryUniforms(right.geometry) : [];
  const details = [leftStride % 4 === 0, hasEpilogue(options), ...types, ...taps];
  return ['product', ...Object.values(contract), ...details].join(' ');
}

/** The same product on a plan of its own, with inputs for its operands. */
function rebuild(b: PlanBuilder, options: ProductOptions, variant: ProductVariant): void {
  const { epilogue, result, right } = options;
  const twinResult = b.temporary('result', result.shape, { dtype: result.dtype, layout: result.layout });
  const twins: ProductOptions = {
    ...options,
    left: twin(b, 'left', options.left),
    right: { ...right, tensor: twin(b, 'right', right.tensor) },
    result: twinResult,
    epilogue: twinEpilogue(b, epilogue),
  };
  appendProduct(b, twins, variant);
  b.output('result', twinResult);
}

/** Appends the product to the plan, in the variant that was measured to be the fastest, else in that of the cost model. */
export function product(b: PlanBuilder, options: ProductOptions): void {
  const contract = contractOf(b, options);
  const variant = b.engine.variants.choose({
    key: contractKey(contract, options),
    variants: productVariants(contract),
    build: (plan, candidate) => rebuild(plan, options, candidate),
  });
  appendProduct(b, options, variant);
}

/** Program, grid and what rows a workgroup takes in a variant; `partials`: sums over a part of k wait in a tensor of their own. */
function inVariant(options: ProductOptions, variant: ProductVariant, partials: boolean, activation: string) {
  const { rows, columns, right, leftStride } = options;
  const common = { operand: right.kind, divided: isDivided(options), epilogue: hasEpilogue(options), activation };
  if (variant.family === 'workgroup') {
    const { tileRows, tileColumns } = variant;
    const program: Program = {
      label: `product ${right.kind} ${tileRows}x${tileColumns}`,
      code: tiledProductSource({ ...common, ...variant, leftQuads: leftStride % 4 === 0 }),
    };
    return { program, rowsPerBlock: tileRows, columnBlocks: divideUp(columns, tileColumns) };
  }
  const { chunk, quads, rowsPerBlock } = variant;
  const program: Program = {
    label: `product ${right.kind} ${chunk}x${quads}`,
    code: subgroupProductSource({ ...common, partials, chunk, quads }),
    enables: ['subgroups'],
  };
  return { program, rowsPerBlock: Math.min(rows, rowsPerBlock), columnBlocks: divideUp(columns, 32 * quads) };
}

function appendProduct(b: PlanBuilder, options: ProductOptions, variant: ProductVariant): void {
  const { groups, rows, columns, depth, left, right, result, epilogue, parts = 1 } = options;
  const activation = fusedActivation(epilogue?.activation);
  const depthPerPart = partLength(depth, parts);
  let partials: Tensor | null = null;
  if (variant.family === 'subgroup8' && result.dtype === 'f16' && Math.min(depth, depthPerPart) > variant.chunk) {
    partials = b.temporary(`${options.label} partial sums`, result.shape, { layout: result.layout, dtype: 'f32' });
  }
  const { program, rowsPerBlock, columnBlocks } = inVariant(options, variant, partials !== null, activation.source);
  const rowBlocks = divideUp(rows, rowsPerBlock);
  const flags =
    (epilogue?.bias ? FLAG_BIAS : 0) |
    (epilogue?.residual ? FLAG_RESIDUAL : 0) |
    (activation.isFused ? FLAG_ACTIVATION : 0);
  const uniforms: (number | Float32Uniform)[] = [
    rows,
    columns,
    depth,
    options.leftStride,
    divideUp(columns, 4),
    rowsPerBlock,
    rowBlocks,
    groups,
    depthPerPart,
    1,
    right.groupOffset,
    right.stride,
    right.columnStride ?? 0,
    flags,
    activation.lower,
    activation.upper,
    ...geometryUniforms(right.geometry ?? NO_GEOMETRY),
  ];
  const bindings: Binding[] = [read(left), read(right.tensor), write(result)];
  // Not `write`: of the last values of k nothing is kept.
  if (partials) bindings.push(readWrite(partials));
  // A switched-off bias or residual still needs a binding; its flag keeps it from being read.
  if (hasEpilogue(options)) bindings.push(read(epilogue?.bias ?? left), read(epilogue?.residual ?? left));
  b.dispatch({
    label: options.label,
    program,
    bindings,
    uniforms,
    workgroups: [columnBlocks, rowBlocks * groups * parts, 1],
  });
}

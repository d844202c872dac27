import { type Binding, type Float32Uniform, read, readWrite, write } from '../../dispatch.js';
import type { Program } from '../../engine.js';
import { type PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { fusedActivation } from '../activation/fused.js';
import type { Activation } from '../activation/kinds.js';
import { geometryUniforms, type OperandKind, type PatchGeometry } from './operand.js';
import { FLAG_ACTIVATION, FLAG_BIAS, FLAG_RESIDUAL } from './parameters.js';
import { subgroupProductSource } from './subgroupProduct.js';
import { TILE, tiledProductSource } from './tiledProduct.js';

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

const CHUNKS = [16, 32, 64];
/** Cost of fetching and storing the accumulators once per chunk and row, in multiply-adds of the same width. */
const CHUNK_OVERHEAD = 8;

/** The resident chunk that wastes least: padding of the last chunk against traffic of the accumulators. */
export function chunkFor(depth: number): number {
  const cost = (chunk: number) => Math.ceil(depth / chunk) * (chunk + CHUNK_OVERHEAD);
  return CHUNKS.reduce((best, chunk) => (cost(chunk) < cost(best) ? chunk : best));
}

const divideUp = (value: number, by: number): number => Math.ceil(value / by);

/** Workgroups that keep a software adapter's few cores busy, and a GPU's many. */
const ENOUGH_GROUPS = { subgroup8: 16, workgroup: 512 } as const;

/** Length of one part; a multiple of 16, so that only the last chunk of the last part is not full. */
const partLength = (depth: number, parts: number): number => divideUp(divideUp(depth, parts), 16) * 16;

/** How many parts to cut a long sum into so that there are enough workgroups. */
export function partsFor(b: PlanBuilder, groups: number, rows: number, columns: number, depth: number): number {
  const family = b.engine.kernelFamily;
  const blocks = groups * divideUp(columns, 64) * divideUp(rows, family === 'workgroup' ? TILE : 128);
  const wanted = Math.max(1, Math.min(divideUp(ENOUGH_GROUPS[family], blocks), Math.floor(depth / 256)));
  // Rounding a part's length up may leave nothing for the last ones; an empty part would never be written.
  return divideUp(depth, partLength(depth, wanted));
}

/** Blocks of C that a workgroup computes, for one kernel family. */
type ProductBlocks =
  | { readonly name: string; readonly family: 'workgroup' }
  | {
      readonly name: string;
      readonly family: 'subgroup8';
      /** Values of k that are resident at a time. */
      readonly chunk: number;
      /** Column quads of a lane. */
      readonly quads: number;
      readonly rowsPerBlock: number;
    };

/** The ways to compute a product, the default first. */
function productVariants(b: PlanBuilder, options: ProductOptions): ProductBlocks[] {
  if (b.engine.kernelFamily === 'workgroup') return [{ name: 'tile 64x64', family: 'workgroup' }];
  const { groups, rows, columns, depth, parts = 1 } = options;
  const quads = divideUp(columns, 4);
  const best = chunkFor(partLength(depth, parts));
  const variants: ProductBlocks[] = [];
  for (const chunk of [best, ...CHUNKS.filter((size) => size !== best)]) {
    for (const laneQuads of quads > 8 ? [2, 1] : [1]) {
      const blocksWanted = divideUp(ENOUGH_GROUPS.subgroup8, divideUp(quads, 8 * laneQuads) * groups * parts);
      // Fewer than 32 rows would not pay for bringing in B.
      const rowsPerBlock = Math.min(rows, 256, Math.max(32, divideUp(rows, blocksWanted)));
      const name = `resident ${chunk}x${laneQuads}`;
      variants.push({ name, family: 'subgroup8', chunk, quads: laneQuads, rowsPerBlock });
    }
  }
  return variants;
}

/** What a product's time depends on. */
function contractKey(b: PlanBuilder, options: ProductOptions): string {
  const { groups, rows, columns, depth, parts = 1, left, right, result, epilogue } = options;
  const { kind, geometry, tensor } = right;
  const finish = [epilogue?.bias, epilogue?.residual, epilogue?.activation].map((part) => (part ? 1 : 0));
  const taps = geometry ? geometryUniforms(geometry) : [];
  const types = [left, tensor, result].map(({ dtype }) => dtype);
  return [
    'product',
    b.engine.kernelFamily,
    kind,
    groups,
    rows,
    columns,
    depth,
    parts,
    ...finish,
    ...types,
    ...taps,
  ].join(' ');
}

/** The same product on a plan of its own, with inputs for its operands. */
function rebuild(b: PlanBuilder, options: ProductOptions, blocks: ProductBlocks): void {
  const twin = (name: string, { shape, dtype, layout }: Tensor) => b.input(name, shape, { dtype, layout });
  const { epilogue, result, right } = options;
  const { bias, residual } = epilogue ?? {};
  const twinResult = b.temporary('result', result.shape, { dtype: result.dtype, layout: result.layout });
  addProduct(
    b,
    {
      ...options,
      left: twin('left', options.left),
      right: { ...right, tensor: twin('right', right.tensor) },
      result: twinResult,
      epilogue: epilogue && {
        ...epilogue,
        bias: bias && twin('bias', bias),
        residual: residual && twin('residual', residual),
      },
    },
    blocks,
  );
  b.output('result', twinResult);
}

/** Appends the product to the plan. */
export function product(b: PlanBuilder, options: ProductOptions): void {
  const blocks = b.engine.variants.choose({
    key: contractKey(b, options),
    variants: productVariants(b, options),
    build: (plan, variant) => rebuild(plan, options, variant),
  });
  addProduct(b, options, blocks);
}

function addProduct(b: PlanBuilder, options: ProductOptions, blocks: ProductBlocks): void {
  const { groups, rows, columns, depth, left, right, result, epilogue } = options;
  const parts = options.parts ?? 1;
  const quads = divideUp(columns, 4);
  const geometry = right.geometry ?? NO_GEOMETRY;
  const divided = geometry.divisor[0] > 1 || geometry.divisor[1] > 1;
  const withEpilogue = Boolean(epilogue?.bias || epilogue?.residual || epilogue?.activation);
  const activation = fusedActivation(epilogue?.activation);
  const depthPerPart = partLength(depth, parts);
  let program: Program;
  let rowsPerBlock: number;
  let columnBlocks: number;
  let partials: Tensor | null = null;
  if (blocks.family === 'workgroup') {
    rowsPerBlock = TILE;
    columnBlocks = divideUp(columns, TILE);
    const code = tiledProductSource({
      operand: right.kind,
      divided,
      epilogue: withEpilogue,
      activation: activation.source,
    });
    program = { label: `product ${right.kind}`, code };
  } else {
    const { chunk, quads: laneQuads } = blocks;
    rowsPerBlock = blocks.rowsPerBlock;
    columnBlocks = divideUp(quads, 8 * laneQuads);
    if (result.dtype === 'f16' && depthPerPart > chunk) {
      partials = b.temporary(`${options.label} partial sums`, result.shape, { layout: result.layout, dtype: 'f32' });
    }
    const variant = {
      operand: right.kind,
      divided,
      epilogue: withEpilogue,
      partials: partials !== null,
      activation: activation.source,
      chunk,
      quads: laneQuads,
    };
    const code = subgroupProductSource(variant);
    program = { label: `product ${right.kind} ${chunk}x${laneQuads}`, code, enables: ['subgroups'] };
  }
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
    quads,
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
    ...geometryUniforms(geometry),
  ];
  const bindings: Binding[] = [read(left), read(right.tensor), write(result)];
  // Not `write`: of the last values of k nothing is kept.
  if (partials) bindings.push(readWrite(partials));
  // A switched-off bias or residual still needs a binding; its flag keeps it from being read.
  if (withEpilogue) bindings.push(read(epilogue?.bias ?? left), read(epilogue?.residual ?? left));
  b.dispatch({
    label: options.label,
    program,
    bindings,
    uniforms,
    workgroups: [columnBlocks, rowBlocks * groups * parts, 1],
  });
}

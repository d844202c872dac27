import type { KernelFamily } from '../../engine.js';
import type { Variant } from '../../variants.js';
import type { OperandKind } from './operand.js';

/** Of the structure for software adapters (`subgroupProduct.ts`). */
export interface SubgroupTiling extends Variant {
  readonly family: 'subgroup8';
  /** Values of k that are resident at a time; a multiple of 8. */
  readonly chunk: number;
  /** Column quads of a lane. */
  readonly quads: number;
  /** Rows for which a resident chunk is used. */
  readonly rowsPerBlock: number;
}

/** Of the structure for GPUs (`tiledProduct.ts`). */
export interface WorkgroupTiling extends Variant {
  readonly family: 'workgroup';
  /** Rows and columns of C that a workgroup computes, and how many values of k it holds at a time: multiples of 4. */
  readonly tileRows: number;
  readonly tileColumns: number;
  readonly tileDepth: number;
  /** Rows (a multiple of 4) and column quads that an invocation computes. */
  readonly rows: number;
  readonly quads: number;
}

export type ProductVariant = SubgroupTiling | WorkgroupTiling;

/** What the choice of a variant hangs on. */
export interface ProductContract {
  readonly family: KernelFamily;
  readonly operand: OperandKind;
  readonly divided: boolean;
  readonly groups: number;
  readonly rows: number;
  readonly columns: number;
  /** Values of k that one workgroup sums over. */
  readonly depth: number;
  /** Parts into which the whole range of k is cut. */
  readonly parts: number;
  /** Workgroups that run at a time. */
  readonly slots: number;
}

export const divideUp = (value: number, by: number): number => Math.ceil(value / by);

const SUBGROUP_TILES: readonly (readonly [chunk: number, quads: number])[] = [
  [96, 2],
  // For depths of which little is left over: 80, 160, 144, 24.
  [80, 3],
  [80, 2],
  [48, 4],
  [24, 4],
  [64, 3],
  [64, 4],
  [64, 2],
  [64, 1],
  [32, 4],
  [32, 2],
  [32, 1],
  [16, 4],
  [16, 2],
  [16, 1],
];
const MOST_ROWS = 256;
/** Fewer rows hardly pay for bringing in a chunk. */
const FEWEST_ROWS = 16;

// Nanoseconds on one core of 2026, fitted to products of 16 to 1024 rows, columns and depths: docs/performance.md. Only their
// ratios matter.
const COST = {
  /** Four columns of 8 lanes times one value of A. */
  multiply: 0.82,
  /** 8 values of a row of A. */
  loadLeft: 4.5,
  /** A quad of the result, out or in again. */
  result: 12,
  /** One turn of the loop that fills the chunk, and what a quad takes there, by the operand. */
  fill: 30,
  fillQuad: { rows: 15, strided: 30, patches: 40, patchColumns: 40 },
  zeroQuad: 4,
  /** What a tile loses that does not fit the first cache beside the rest, if it is filled more than once. */
  overflow: 1.25,
} as const;
/** Bytes of resident chunks that fit. */
const RESIDENT_BYTES = 26 * 1024;

function subgroupCost(contract: ProductContract, { chunk, quads, rowsPerBlock }: SubgroupTiling): number {
  const { rows, columns, depth, operand, groups, parts, slots } = contract;
  const chunks = divideUp(depth, chunk);
  const padded = chunks * chunk;
  const fill = padded * COST.fill + quads * (depth * COST.fillQuad[operand] + (padded - depth) * COST.zeroQuad);
  const accumulators = quads * COST.result * (2 * chunks - 1);
  const row = padded * (quads * COST.multiply + COST.loadLeft / 8) + accumulators;
  const overflows = chunks > 1 && chunk * quads * 128 > RESIDENT_BYTES;
  const rowBlocks = divideUp(rows, rowsPerBlock);
  const block = fill + divideUp(rows, rowBlocks) * row * (overflows ? COST.overflow : 1);
  const blocks = divideUp(columns, 32 * quads) * rowBlocks * groups * parts;
  return divideUp(blocks, slots) * block;
}

function subgroupCandidates(contract: ProductContract): SubgroupTiling[] {
  const { rows } = contract;
  const fewestBlocks = divideUp(rows, MOST_ROWS);
  const mostBlocks = Math.max(fewestBlocks, Math.floor(rows / FEWEST_ROWS));
  const blockCounts = [1, 2, 3, 4, 6, 8, 12, 16].map((factor) => Math.min(factor * fewestBlocks, mostBlocks));
  const rowsPerBlock = [...new Set(blockCounts)].map((count) => divideUp(rows, count));
  return SUBGROUP_TILES.flatMap(([chunk, quads]) =>
    rowsPerBlock.map((count): SubgroupTiling => {
      const name = `resident ${chunk}x${quads} for ${count}`;
      return { name, family: 'subgroup8', chunk, quads, rowsPerBlock: count };
    }),
  );
}

const TILE_DEPTH = 16;
const WORKGROUP_TILES: readonly WorkgroupTiling[] = (
  [
    [128, 128, 8, 2],
    [128, 64, 8, 1],
    [64, 128, 8, 1],
    [64, 64, 4, 1],
    [32, 64, 4, 1],
    [32, 32, 4, 1],
  ] as const
).map(([tileRows, tileColumns, rows, quads]) => {
  const name = `tile ${tileRows}x${tileColumns}, ${rows}x${4 * quads} each`;
  return { name, family: 'workgroup', tileRows, tileColumns, tileDepth: TILE_DEPTH, rows, quads };
});

/** Waves of workgroups times what a workgroup takes: its multiplications, and its loads, which larger tiles use more often. */
function workgroupCost(contract: ProductContract, { tileRows, tileColumns }: WorkgroupTiling): number {
  const { rows, columns, groups, parts, slots } = contract;
  const blocks = divideUp(rows, tileRows) * divideUp(columns, tileColumns) * groups * parts;
  const block = tileRows * tileColumns + 24 * (tileRows + tileColumns);
  return Math.max(1, blocks / slots) * block;
}

/** Number of candidates that are worth the timing. */
const MOST_CANDIDATES = 6;

/** Variants for a product, the one that the cost model holds to be the fastest first: the default. */
export function productVariants(contract: ProductContract): ProductVariant[] {
  const priced: { readonly variant: ProductVariant; readonly cost: number }[] =
    contract.family === 'workgroup'
      ? WORKGROUP_TILES.map((variant) => ({ variant, cost: workgroupCost(contract, variant) }))
      : subgroupCandidates(contract).map((variant) => ({ variant, cost: subgroupCost(contract, variant) }));
  return priced
    .sort((a, b) => a.cost - b.cost)
    .slice(0, MOST_CANDIDATES)
    .map(({ variant }) => variant);
}

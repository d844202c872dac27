import { linearGrid, read, write } from '../src/kernels/dispatch.js';
import type { Engine } from '../src/kernels/engine.js';
import { PlanBuilder } from '../src/kernels/planBuilder.js';
import { randomValues } from './random.js';
import { DEFAULT_TIMING, time, type TimingOptions } from './timing.js';

/** What simple kernels reach on the device at hand. */
export interface Ceiling {
  /** Multiplications and additions, 10^9 a second. */
  readonly gflops: number;
  /** Bytes read plus bytes written by a copy, 10^9 a second. */
  readonly gbps: number;
}

const CHAINS = [1, 2, 3, 4, 8];
const UNROLLED = 8;
const WORKGROUPS = [8, 64, 256];

/** `chains` independent vec4 accumulators, each multiplied and added to in turn; nothing touches memory in the loop. */
function arithmeticSource(chains: number, workgroup: number): string {
  const names = Array.from({ length: chains }, (_, index) => `a${index}`);
  const step = names.map((name) => `${name} = fma(${name}, vec4f(factor), vec4f(addend));`).join(' ');
  return `
struct Sizes { iterations: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let seed = vec4f(x[id.x % 64u]);
  let factor = seed.x * 0.5;
  let addend = seed.y;
  ${names.map((name, index) => `var ${name} = seed + ${index}.0;`).join('\n  ')}
  for (var i = 0u; i < sizes.iterations; i++) {
    ${Array.from({ length: UNROLLED }, () => step).join('\n    ')}
  }
  y[id.x] = V1(${names.join(' + ')});
}`;
}

const copySource = (workgroup: number): string => `
struct Sizes { quads: u32 }
@group(0) @binding(0) var<storage, read> x: array<V0>;
@group(0) @binding(1) var<storage, read_write> y: array<V1>;
@group(0) @binding(2) var<uniform> sizes: Sizes;
@compute @workgroup_size(${workgroup})
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let index = id.y * groups.x * ${workgroup}u + id.x;
  if (index < sizes.quads) {
    y[index] = V1(x[index]);
  }
}`;

/** A variant of a kernel: independent accumulators (of the arithmetic) and invocations of a workgroup. */
interface Candidate {
  readonly chains: number;
  readonly workgroup: number;
}

const QUICK: TimingOptions = { ...DEFAULT_TIMING, budget: 200, mostSamples: 9 };
const THOROUGH: TimingOptions = { ...DEFAULT_TIMING, budget: 2000, mostSamples: 200 };

async function arithmeticRate(
  engine: Engine,
  seed: number,
  { chains, workgroup }: Candidate,
  timing: TimingOptions,
): Promise<number> {
  const invocations = engine.adapter.isSoftware ? 2 ** 12 : 2 ** 18;
  const iterations = 512;
  const b = new PlanBuilder(engine);
  const x = b.input('x', [256], { layout: 'dense' });
  const y = b.temporary('y', [invocations * 4], { layout: 'dense' });
  b.dispatch({
    label: 'arithmetic',
    program: { label: 'arithmetic', code: arithmeticSource(chains, workgroup) },
    bindings: [read(x), write(y)],
    uniforms: [iterations],
    workgroups: [invocations / workgroup, 1, 1],
  });
  const plan = await b.compile();
  plan.run({ x: randomValues(256, seed, 'arithmetic') });
  const timed = await time(
    () => void plan.run(),
    () => engine.idle(),
    timing,
  );
  plan.dispose();
  return (2 * 4 * chains * UNROLLED * iterations * invocations) / (timed.best * 1e6);
}

async function copyRate(
  engine: Engine,
  seed: number,
  { workgroup }: Candidate,
  timing: TimingOptions,
): Promise<number> {
  const largest = Math.min(engine.device.limits.maxStorageBufferBindingSize, 2 ** 27);
  // Far more than what the caches of a CPU hold; random, so that nothing can be compressed.
  const elements = Math.min(largest, engine.adapter.isSoftware ? 2 ** 26 : 2 ** 27) / 4;
  const b = new PlanBuilder(engine);
  const x = b.input('x', [elements], { layout: 'dense' });
  const y = b.temporary('y', [elements], { layout: 'dense' });
  b.dispatch({
    label: 'copy',
    program: { label: 'copy', code: copySource(workgroup) },
    bindings: [read(x), write(y)],
    uniforms: [elements / 4],
    workgroups: linearGrid(elements / 4, workgroup),
  });
  const plan = await b.compile();
  plan.run({ x: randomValues(elements, seed, 'copy') });
  const timed = await time(
    () => void plan.run(),
    () => engine.idle(),
    timing,
  );
  plan.dispose();
  return (2 * 4 * elements) / (timed.best * 1e6);
}

/** The best rate of all candidates; the best candidate is timed again and longer, for a ceiling that other programs pressed down. */
async function best(
  candidates: readonly Candidate[],
  rate: (candidate: Candidate, timing: TimingOptions) => Promise<number>,
): Promise<number> {
  let [fastest, highest]: [Candidate | null, number] = [null, 0];
  for (const candidate of candidates) {
    const reached = await rate(candidate, QUICK);
    if (reached > highest) [fastest, highest] = [candidate, reached];
  }
  return fastest ? Math.max(highest, await rate(fastest, THOROUGH)) : highest;
}

/** Measures the device's ceilings: the best of a few simple kernels each. */
export async function measureCeiling(engine: Engine, seed: number): Promise<Ceiling> {
  const arithmetic = WORKGROUPS.flatMap((workgroup) => CHAINS.map((chains) => ({ chains, workgroup })));
  const copies = WORKGROUPS.map((workgroup) => ({ chains: 0, workgroup }));
  return {
    gflops: await best(arithmetic, (candidate, timing) => arithmeticRate(engine, seed, candidate, timing)),
    gbps: await best(copies, (candidate, timing) => copyRate(engine, seed, candidate, timing)),
  };
}

/** The least time that the arithmetic and the bytes of a workload can take, in milliseconds. */
export const floorMs = (ceiling: Ceiling, flops: number, traffic: number): number =>
  Math.max(flops / ceiling.gflops, traffic / ceiling.gbps) / 1e6;

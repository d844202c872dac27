// Prepares one workload of the catalogue, runs it once and prints how long that took: `coldStart.js NAME SEED`. A process of its own,
// so that no pipeline is known yet.
import { openEngine, releaseGpu } from '../src/runtime/gpu.js';
import { workloads } from './workloads/catalogue.js';

const [name, seed] = process.argv.slice(2);
const workload = workloads().find((candidate) => candidate.name === name);
if (!workload) throw new Error(`There is no workload ${name}.`);
const engine = await openEngine();
const started = performance.now();
const prepared = await workload.prepare(engine, Number(seed));
await prepared.run();
await engine.idle();
process.stdout.write(JSON.stringify({ ms: performance.now() - started }));
prepared.dispose();
engine.destroy();
releaseGpu();

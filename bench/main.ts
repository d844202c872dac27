// Times Graft's engine on this machine's adapter: `npm run bench [-- --json] [--only NAME] [--peers]`.
import { openEngine, releaseGpu } from '../src/runtime/gpu.js';
import { type BenchOptions, parseArguments, selectByName, UsageError } from './arguments.js';
import { measureCeiling } from './ceiling.js';
import { type Measurement, measure } from './measure.js';
import { adapterName, geometricMeans, type Report, tableHead, tableRow } from './report.js';
import { workloads } from './workloads/catalogue.js';

/** float32 sums of random terms lie this close to the exact ones; more is a wrong kernel. */
const TOLERANCE = 1e-3;

const say = (text: string) => process.stderr.write(`${text}\n`);

async function bench(options: BenchOptions): Promise<boolean> {
  const selected = selectByName(workloads(), options.only);
  if (options.list) {
    for (const { name } of selected) console.log(name);
    return true;
  }
  const engine = await openEngine();
  try {
    const adapter = {
      name: adapterName(engine.adapter),
      isSoftware: engine.adapter.isSoftware,
      kernelFamily: engine.kernelFamily,
    };
    console.log(`${adapter.name}, ${adapter.kernelFamily} kernels, seed ${options.seed}`);
    say('Measuring the ceiling of the device ...');
    const ceiling = await measureCeiling(engine, options.seed);
    console.log(`Ceiling: ${ceiling.gflops.toFixed(0)} GFLOP/s, ${ceiling.gbps.toFixed(1)} GB/s (simple kernels)\n`);
    console.log(tableHead([]));
    const measurements: Measurement[] = [];
    for (const workload of selected) {
      const skip = (reason: string) => say(`${workload.name} is left out: ${reason}`);
      const measurement = await measure(engine, workload, ceiling, options.seed, skip);
      if (!measurement) continue;
      measurements.push(measurement);
      console.log(tableRow(measurement, []));
    }
    const report: Report = {
      adapter,
      seed: options.seed,
      ceiling,
      workloads: measurements,
      geomean: geometricMeans(measurements),
    };
    if (options.json) console.log(JSON.stringify(report));
    const wrong = measurements.filter(({ maxError }) => maxError !== null && !(maxError <= TOLERANCE));
    for (const { name, maxError } of wrong) say(`${name} is WRONG: its error is ${maxError}.`);
    return wrong.length === 0;
  } finally {
    engine.destroy();
    releaseGpu();
  }
}

try {
  if (!(await bench(parseArguments(process.argv.slice(2))))) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(error.message);
  process.exitCode = 2;
}

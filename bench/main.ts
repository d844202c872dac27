// Times Graft's engine on this machine's adapter: `npm run bench [-- --json] [--only NAME] [--peers]`.
import { openEngine, releaseGpu } from '../src/runtime/gpu.js';
import { type BenchOptions, parseArguments, selectByName, UsageError } from './arguments.js';
import { measureCeiling } from './ceiling.js';
import { type Compilation, compilations, measureCompilation } from './compilation.js';
import { type Measurement, measure, type PeerResult } from './measure.js';
import { PEER_NAMES } from './peers/catalogue.js';
import { installPeers } from './peers/install.js';
import type { PeerRequest } from './peers/peer.js';
import { PeerProcess } from './peers/process.js';
import { adapterName, geometricMeans, type Report, tableHead, tableRow } from './report.js';
import { workloads } from './workloads/catalogue.js';

const say = (text: string) => process.stderr.write(`${text}\n`);

/** Runs a workload on each peer, says why one could not, and returns the others' times and ratios. */
async function measurePeers(
  peers: readonly PeerProcess[],
  request: PeerRequest,
  ms: number,
): Promise<Record<string, PeerResult>> {
  const results: Record<string, PeerResult> = {};
  for (const peer of peers) {
    say(`  ${request.name} on ${peer.name} ...`);
    const reply = await peer.measure(request);
    if (reply.type === 'done') results[peer.name] = { ms: reply.timing.ms, ratio: reply.timing.ms / ms };
    else say(`  ${peer.name} does not run ${request.name}: ${reply.reason}`);
  }
  return results;
}

async function bench(options: BenchOptions): Promise<boolean> {
  const names = selectByName([...workloads(), ...compilations], options.only).map(({ name }) => name);
  if (options.list) {
    for (const name of names) console.log(name);
    return true;
  }
  const selected = workloads().filter(({ name }) => names.includes(name));
  const folder = options.peers ? installPeers(say) : '';
  const peers = options.peers ? PEER_NAMES.map((name) => new PeerProcess(name, folder)) : [];
  const peerNames = peers.map(({ name }) => name);
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
    console.log(tableHead(peerNames));
    const measurements: Measurement[] = [];
    for (const workload of selected) {
      const skip = (reason: string) => say(`${workload.name} is left out: ${reason}`);
      const { name, spec } = workload;
      const { seed } = options;
      const reference = workload.reference(seed);
      const ours = await measure(engine, workload, reference, ceiling, seed, skip);
      if (!ours) continue;
      const isOurs = spec.kind === 'headEpoch' || spec.kind === 'inputPipeline';
      const others = isOurs ? {} : await measurePeers(peers, { name, spec, seed, reference }, ours.ms);
      const measurement = { ...ours, peers: others };
      measurements.push(measurement);
      console.log(tableRow(measurement, peerNames));
    }
    const compiled: Compilation[] = [];
    for (const compilation of compilations.filter(({ name }) => names.includes(name))) {
      say(`  ${compilation.name} ...`);
      const result = await measureCompilation(compilation, options.seed);
      compiled.push(result);
      const seconds = (ms: number) => (ms / 1000).toFixed(1);
      console.log(
        `${result.name.padEnd(38)} first run after ${seconds(result.coldMs)} s with an empty cache of the driver, ${seconds(result.warmMs)} s after that`,
      );
    }
    const report: Report = {
      adapter,
      seed: options.seed,
      ceiling,
      workloads: measurements,
      compilation: compiled,
      geomean: geometricMeans(measurements),
    };
    for (const [peer, mean] of Object.entries(report.geomean)) {
      const count = measurements.filter((measurement) => measurement.peers[peer]).length;
      console.log(`${peer}: ${mean.toFixed(2)} times our time in the geometric mean of ${count} workloads`);
    }
    if (options.json) console.log(JSON.stringify(report));
    const wrong = measurements.filter(({ isRight }) => !isRight);
    for (const { name, maxError } of wrong) say(`${name} is WRONG: its error is ${maxError}.`);
    return wrong.length === 0;
  } finally {
    for (const peer of peers) peer.stop();
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

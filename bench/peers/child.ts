// Runs one peer in a process of its own: `child.js PEER FOLDER`, asked and answering over IPC.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { compare } from '../reference/samples.js';
import { time } from '../timing.js';
import { PEERS, type PeerName } from './catalogue.js';
import type { Load, PeerReply, PeerRequest } from './peer.js';

/** Peers may take seconds a run. */
const TIMING = { budget: 1000, leastSamples: 2, mostSamples: 25, sampleLength: 40 };

const [name, folder] = process.argv.slice(2) as [PeerName, string];
const reply = (message: PeerReply) => process.send?.(message);
const { load } = (await import(pathToFileURL(join(folder, 'load.mjs')).href)) as { load: Load };
const peer = await PEERS[name](load);

async function answer({ name: workload, spec, seed, reference }: PeerRequest): Promise<PeerReply> {
  try {
    const prepared = await peer.prepare(spec, workload, seed);
    const comparison = reference ? compare(await prepared.results(), reference) : null;
    if (comparison && !comparison.isRight)
      return { type: 'failed', reason: `its result is off by ${comparison.maxError}` };
    const timing = await time(
      () => prepared.run(),
      () => prepared.idle(),
      TIMING,
    );
    return { type: 'done', timing, maxError: comparison?.maxError ?? null };
  } catch (error) {
    return { type: 'failed', reason: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (request: PeerRequest) => void answer(request).then(reply));
process.on('disconnect', () => process.exit(0));
reply({ type: 'ready' });

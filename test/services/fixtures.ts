import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import pino from 'pino';
import { type Config, loadConfig } from '../../src/config.js';
import { writeModel } from '../../src/models/formats/safetensors.js';
import type { NetworkRecord, RunEvent, RunRecord, Services } from '../../src/services/api.js';
import type { Installation } from '../../src/services/installation.js';
import { createServices } from '../../src/services/createServices.js';
import { Database } from '../../src/store/database.js';
import { insertDataset } from '../../src/store/datasets.js';
import type { Split } from '../../src/store/schema.js';
import { databaseOf } from '../store/fixtures.js';
import { seeded, smallNetwork } from '../training/fixtures.js';

export const FAKE_EXECUTOR = new URL('../jobs/fakeExecutor.js', import.meta.url);

export function testConfig(dataDir: string, changes: Partial<Config> = {}): Config {
  return { ...loadConfig({ GRAFT_DATA_DIR: dataDir, GRAFT_STOP_SECONDS: '5' }), workerMemoryMb: 512, ...changes };
}

/** Services without a GPU. */
export async function fakeServices(config: Config, installation?: Installation): Promise<Services> {
  const { url } = await databaseOf(config.dataDir);
  return createServices(
    { ...config, databaseUrl: url },
    {
      logger: pino({ level: process.env.GRAFT_TEST_LOG ?? 'silent' }),
      executor: FAKE_EXECUTOR,
      ...(installation ? { installation } : {}),
    },
  );
}

export const upload = (services: Services, filename: string, data: Uint8Array) =>
  services.saveUpload(filename, Readable.from([Buffer.from(data)]), 1e9);

export async function importSmall(services: Services, classes: readonly string[], seed = 1): Promise<NetworkRecord> {
  const { id } = await upload(services, 'small.safetensors', writeModel(smallNetwork(classes, seeded(seed))));
  return services.importNetwork({ name: 'small', uploadIds: [id] });
}

/** A data set without picture files, for jobs that do not look at them. */
export async function insertPictures(dataDir: string, classes: readonly string[], count = 30): Promise<string> {
  const splits: Split[] = ['train', 'train', 'validation', 'test', 'test'];
  const pictures = Array.from({ length: count }, (_, i) => ({
    path: `${i}.png`,
    hash: createHash('sha256').update(`${i}`).digest('hex'),
    labelIndex: i % classes.length,
    split: splits[i % splits.length] as Split,
    width: 12,
    height: 12,
  }));
  const database = await Database.open((await databaseOf(dataDir)).location);
  try {
    const row = await database.transaction((queries) =>
      insertDataset(queries, { name: 'pictures', classes, warnings: [], skipped: [], pictures }),
    );
    return row.id;
  } finally {
    await database.close();
  }
}

export async function collect(events: AsyncIterable<RunEvent>): Promise<RunEvent[]> {
  const collected: RunEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}

/** Waits until a run is over. */
export async function ended(services: Services, runId: string): Promise<RunRecord> {
  await collect(services.watchRun(runId, 0));
  const [run] = await services.runsById([runId]);
  return run as RunRecord;
}

/** Waits until a run has reported progress. */
export async function underWay(services: Services, runId: string): Promise<RunEvent> {
  for await (const event of services.watchRun(runId, 0)) if (event.progress?.type === 'epoch') return event;
  throw new Error(`run ${runId} ended without an epoch`);
}

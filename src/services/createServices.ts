import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { RunEvents } from '../jobs/events.js';
import type { RunObserver } from '../jobs/observer.js';
import { RunQueue } from '../jobs/runner.js';
import { Supervisor } from '../jobs/supervisor.js';
import { BlobStore } from '../store/blobs.js';
import { CheckpointFiles } from '../store/checkpointFiles.js';
import { Database } from '../store/database.js';
import type { Services } from './api.js';
import type { Context } from './context.js';
import { datasetServices } from './datasets.js';
import { deviceServices } from './device.js';
import { downloadServices, openDownloads } from './downloads.js';
import { exportServices } from './exports.js';
import { withServiceErrors } from './errors.js';
import { garbageServices } from './garbage.js';
import { type Installation, openInstallation } from './installation.js';
import { networkServices } from './networks.js';
import { resultServices } from './results.js';
import { runServices } from './runs.js';
import { uploadServices } from './uploads.js';
import { zooServices } from './zoo.js';

export interface ServicesOptions {
  readonly logger: Logger;
  /** Hears what becomes of runs. */
  readonly observer?: RunObserver;
  /** Module that runs the jobs inside the worker process (see src/jobs/executor.ts). Default: on the GPU. */
  readonly executor?: URL;
  /** Default: that of this package. */
  readonly installation?: Installation;
}

/**
 * Opens the data folder of `config`, brings its schema up to date and takes up the queue. `close` ends the worker and gives running jobs back to the queue.
 */
export async function createServices(config: Config, options: ServicesOptions): Promise<Services> {
  const { logger } = options;
  const installation = options.installation ?? (await openInstallation());
  const blobFolder = join(config.dataDir, 'blobs');
  await mkdir(config.dataDir, { recursive: true });
  const blobs = await BlobStore.open(blobFolder);
  const database = await Database.open(config.databaseUrl ?? join(config.dataDir, 'graft.db'), (error) =>
    logger.warn({ err: error }, 'a connection to the database broke'),
  );

  const checkpoints = config.checkpointMs > 0 ? join(config.dataDir, 'checkpoints') : null;
  const supervisor = new Supervisor({
    settings: {
      executor: (options.executor ?? new URL('../jobs/executor.js', import.meta.url)).href,
      blobs: blobFolder,
      features:
        config.featureCacheBytes > 0
          ? { folder: join(config.dataDir, 'features'), limitBytes: config.featureCacheBytes }
          : null,
      adapter: config.adapter,
      checkpoints: checkpoints === null ? null : { folder: checkpoints, everySeconds: config.checkpointMs / 1000 },
      tuning: { mode: config.tuning, budgetMs: config.tuningBudgetMs, folder: join(config.dataDir, 'tuning') },
    },
    limits: {
      memoryMb: config.workerMemoryMb,
      startMs: config.workerStartMs,
      silenceMs: config.workerSilenceMs,
      stopMs: config.stopTimeoutMs,
    },
    logger,
  });
  const events = new RunEvents(database);
  const queue = new RunQueue(
    database,
    events,
    supervisor,
    logger,
    options.observer,
    checkpoints === null ? null : new CheckpointFiles(checkpoints),
  );
  const closing = new AbortController();
  const downloads = openDownloads(config, installation.version);
  const context: Context = {
    config,
    logger,
    installation,
    database,
    queries: database.queries,
    blobs,
    supervisor,
    events,
    queue,
    downloads,
    closing: closing.signal,
  };
  await queue.start();

  let closed: Promise<void> | null = null;
  const close = async () => {
    closing.abort();
    await Promise.all([queue.stop(), supervisor.stop(), downloads.close()]);
    await database.close();
  };
  return withServiceErrors<Services>({
    ...zooServices(context),
    ...downloadServices(context),
    ...networkServices(context),
    ...uploadServices(context),
    ...datasetServices(context),
    ...runServices(context),
    ...resultServices(context),
    ...exportServices(context),
    ...deviceServices(context),
    ...garbageServices(context),
    statementCount: () => database.statementCount(),
    close: () => {
      closed ??= close();
      return closed;
    },
  });
}

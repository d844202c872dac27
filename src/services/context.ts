import type { Logger } from 'pino';
import type { Config } from '../config.js';
import type { RunEvents } from '../jobs/events.js';
import type { RunQueue } from '../jobs/runner.js';
import type { Supervisor } from '../jobs/supervisor.js';
import type { BlobStore } from '../store/blobs.js';
import type { Database, Queries } from '../store/database.js';
import type { Downloads } from './downloads.js';
import type { Installation } from './installation.js';

/** What the services are made of. */
export interface Context {
  readonly config: Config;
  readonly logger: Logger;
  readonly installation: Installation;
  readonly database: Database;
  readonly queries: Queries;
  readonly blobs: BlobStore;
  readonly supervisor: Supervisor;
  readonly events: RunEvents;
  readonly queue: RunQueue;
  readonly downloads: Downloads;
  /** Aborted when the services close. */
  readonly closing: AbortSignal;
}

import { countJobs } from '../jobs/queue.js';
import type { Services } from './api.js';
import type { Context } from './context.js';

export function deviceServices({
  supervisor,
  database,
  blobs,
}: Context): Pick<Services, 'device' | 'load' | 'checkReady'> {
  return {
    async load() {
      const { queued, running } = await database.background(() => countJobs(database.queries));
      return { queued, running, workerRestarts: supervisor.status().restarts };
    },

    async checkReady() {
      await database.background(() => countJobs(database.queries));
      await blobs.check();
    },

    async device() {
      // Nothing is known of a device before a worker has opened it; why that failed is part of the answer.
      await supervisor.ready().catch(() => undefined);
      const { state, device, restarts, error } = supervisor.status();
      return {
        state,
        vendor: device?.vendor ?? null,
        architecture: device?.architecture ?? null,
        description: device?.description ?? null,
        isSoftware: device?.isSoftware ?? null,
        kernelFamily: device?.kernelFamily ?? null,
        features: device?.features ?? [],
        workerRestarts: restarts,
        error,
      };
    },
  };
}

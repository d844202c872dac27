import type { Services } from './api.js';
import type { Context } from './context.js';

export function deviceServices({ supervisor }: Context): Pick<Services, 'device'> {
  return {
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

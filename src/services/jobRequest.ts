import type { Job, ModelReference, ResultOf } from '../jobs/protocol.js';
import { ServiceError } from './api.js';
import type { Context } from './context.js';

/** What the worker needs to know of a revision. */
export const modelReference = ({ networkJson, weightsHash }: ModelReference): ModelReference => ({
  networkJson,
  weightsHash,
});

/** Has the worker do something that a client waits for. Throws TIMEOUT when it takes too long. */
export async function request<J extends Job>({ supervisor, config }: Context, job: J): Promise<ResultOf<J>> {
  const abort = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const seconds = config.requestTimeoutMs / 1000;
      const advice = 'Take fewer pictures, or raise GRAFT_REQUEST_SECONDS.';
      reject(new ServiceError('TIMEOUT', `It was not done within ${seconds} s, waiting included. ${advice}`));
      abort.abort();
    }, config.requestTimeoutMs);
  });
  try {
    return await Promise.race([supervisor.run(job, abort.signal), late]);
  } finally {
    clearTimeout(timer);
  }
}

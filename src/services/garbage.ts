import { referencedHashes } from '../store/datasets.js';
import type { Services } from './api.js';
import type { Context } from './context.js';

/** Files without a row are kept this long: a row that refers to a fresh one may be about to be written. */
const LEAST_AGE_MS = 3_600_000;

export function garbageServices({ queries, blobs, logger }: Context): Pick<Services, 'collectGarbage'> {
  return {
    async collectGarbage({ dryRun }) {
      const used = await referencedHashes(queries);
      const swept = await blobs.sweep((hash) => used.has(hash), LEAST_AGE_MS, dryRun);
      if (!dryRun) logger.info(swept, 'deleted files that nothing refers to');
      return { ...swept, dryRun };
    },
  };
}

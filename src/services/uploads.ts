import { insertUpload } from '../store/datasets.js';
import type { Services } from './api.js';
import type { Context } from './context.js';
import { displayName } from './inputs.js';

type UploadServices = Pick<Services, 'saveUpload' | 'openBlob'>;

export function uploadServices({ blobs, queries }: Context): UploadServices {
  return {
    async saveUpload(filename, stream, maxBytes) {
      const { hash, bytes } = await blobs.put(stream, maxBytes);
      return insertUpload(queries, { filename: displayName(filename), bytes, hash });
    },
    openBlob: (hash) => blobs.stream(hash),
  };
}

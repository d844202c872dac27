import { ModelError } from '../../errors.js';

/** A network that does not fit together is the file's fault: says where in the file. Other errors stay as they are. */
export function inFile(error: unknown, format: string, where: string): unknown {
  if (!(error instanceof ModelError) || error.code !== 'INVALID_NETWORK') return error;
  return new ModelError('INVALID_FILE', `${format}: ${where}: ${error.message}`, [], { cause: error });
}

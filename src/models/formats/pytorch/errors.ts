import { ModelError } from '../../errors.js';

export function fail(message: string): never {
  throw new ModelError('INVALID_FILE', `PyTorch: ${message}`);
}

export function refuse(message: string): never {
  throw new ModelError('UNSUPPORTED', `PyTorch: ${message}`);
}

/** How to make a file that can be read of one that cannot. */
export const SAVE_STATE_DICT = "In Python: torch.save(model.state_dict(), 'weights.pth'), and import that file.";

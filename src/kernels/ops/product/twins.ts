import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import type { ProductOptions } from './product.js';

/** An input that stands for a tensor of another plan where a contract is put onto a plan of its own. */
export const twin = (b: PlanBuilder, name: string, { shape, dtype, layout }: Tensor): Tensor =>
  b.input(name, shape, { dtype, layout });

/** The same of an epilogue's tensors. */
export function twinEpilogue(b: PlanBuilder, epilogue: ProductOptions['epilogue']): ProductOptions['epilogue'] {
  const { bias, residual } = epilogue ?? {};
  return (
    epilogue && {
      ...epilogue,
      bias: bias && twin(b, 'bias', bias),
      residual: residual && twin(b, 'residual', residual),
    }
  );
}

import type { PlanBuilder } from '../../planBuilder.js';
import type { Tensor } from '../../tensor.js';
import { broadcastOperation } from '../binary/binary.js';
import { operand } from '../elementwise/broadcast.js';

/**
 * x where x > 0, else slope x, the slope being learned (He et al. 2015, "Delving deep into rectifiers", equation 1). The slope is
 * dense [C] or [1] for x [N, C] or [N, C, H, W], as in PyTorch, or broadcasts to x, as in ONNX.
 */
export function prelu(b: PlanBuilder, x: Tensor, slope: Tensor): Tensor {
  const isPerChannel = slope.layout === 'dense' && slope.shape.length === 1;
  const channelShape = [slope.shape[0] as number, ...x.shape.slice(2).map(() => 1)];
  return broadcastOperation(
    b,
    'prelu',
    {
      value: 'select(a * b, a, a > vec4f())',
      gradients: [
        { expression: 'select(dy * b, dy, a > vec4f())', reads: ['a', 'b'] },
        { expression: 'dy * min(a, vec4f())', reads: ['a'] },
      ],
    },
    operand(x),
    isPerChannel ? { tensor: slope, shape: channelShape } : operand(slope),
  );
}

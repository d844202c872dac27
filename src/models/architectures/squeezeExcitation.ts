import type { NetworkBuilder } from '../builder.js';
import type { Activation } from '../network.js';

export interface SqueezeExcitation {
  readonly channels: number;
  /** Channels in between. */
  readonly squeezed: number;
  readonly activation: Activation;
  /** What makes factors from 0 to 1 of the channels. */
  readonly gate: Activation;
}

/**
 * Multiplies each channel of the last layer by a factor that all channels' means decide: Hu, Shen, Albanie, Sun and Wu,
 * "Squeeze-and-Excitation Networks", CVPR 2018 (arXiv 1709.01507), equations 2 to 4. The two dense layers are 1x1 convolutions
 * of a 1x1 map, as in torchvision.
 */
export function squeezeExcitation(b: NetworkBuilder, name: string, options: SqueezeExcitation): string {
  const { channels, squeezed, activation, gate } = options;
  const input = b.last;
  b.globalAveragePool(`${name}.avgpool`, { flatten: false });
  b.conv(`${name}.fc1`, { out: squeezed, kernel: 1, bias: true });
  b.activation(`${name}.activation`, activation);
  b.conv(`${name}.fc2`, { out: channels, kernel: 1, bias: true });
  const factors = b.activation(`${name}.scale_activation`, gate);
  return b.multiply(name, input, factors);
}

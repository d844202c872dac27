import { NetworkBuilder } from '../builder.js';
import type { Network } from '../network.js';
import { imagenetPreprocessing } from '../preprocessing.js';
import { type ArchitectureOptions, sides } from './options.js';

export interface AlexnetOptions extends ArchitectureOptions {
  /** Rate of the dropouts in front of the two hidden dense layers. */
  readonly dropout?: number;
  /** Units of the two hidden dense layers, which hold most of the parameters. */
  readonly hiddenUnits?: number;
}

/** The side of the map that the dense layers read, whatever the input's. */
const POOLED = 6;

/**
 * AlexNet: Krizhevsky, Sutskever and Hinton, "ImageNet Classification with Deep Convolutional Neural Networks", NIPS 2012, in
 * the form for one GPU of Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014 (arXiv
 * 1404.5997). Names and sizes are those of torchvision's `alexnet`, which has neither local response normalisation nor groups.
 */
export function alexnet(options: AlexnetOptions = {}): Network {
  const { classes = 1000, inChannels, dropout = 0.5, hiddenUnits = 4096 } = options;
  const b = new NetworkBuilder('alexnet', imagenetPreprocessing(...sides(options)), inChannels);
  b.conv('features.0', { out: 64, kernel: 11, stride: 4, padding: 2, bias: true });
  b.activation('features.1');
  b.maxPool('features.2', { kernel: 3, stride: 2 });
  b.conv('features.3', { out: 192, kernel: 5, padding: 2, bias: true });
  b.activation('features.4');
  b.maxPool('features.5', { kernel: 3, stride: 2 });
  [384, 256, 256].forEach((out, index) => {
    b.conv(`features.${6 + 2 * index}`, { out, kernel: 3, padding: 1, bias: true });
    b.activation(`features.${7 + 2 * index}`);
  });
  b.maxPool('features.12', { kernel: 3, stride: 2 });
  b.adaptiveAveragePool('avgpool', POOLED);
  b.flatten('flatten');
  b.dropout('classifier.0', dropout);
  b.dense('classifier.1', hiddenUnits);
  b.activation('classifier.2');
  b.dropout('classifier.3', dropout);
  b.dense('classifier.4', hiddenUnits);
  b.activation('classifier.5');
  b.dense('classifier.6', classes);
  return b.build();
}

import type { Preprocessing } from './network.js';

/**
 * What torchvision's ImageNet weights were trained with: x / 255, then the training set's mean and deviation by channel;
 * the central 7/8 of the picture (224 of 256).
 */
export function imagenetPreprocessing(height: number, width: number): Preprocessing {
  return {
    height,
    width,
    fit: 'centerCrop',
    cropFraction: 0.875,
    interpolation: 'bilinear',
    channelOrder: 'RGB',
    scale: 255,
    mean: [0.485, 0.456, 0.406],
    std: [0.229, 0.224, 0.225],
  };
}

/** x / 255 of the whole picture, squeezed to the input's size. */
export function unitPreprocessing(height: number, width: number): Preprocessing {
  return {
    height,
    width,
    fit: 'stretch',
    cropFraction: 1,
    interpolation: 'bilinear',
    channelOrder: 'RGB',
    scale: 255,
    mean: [0, 0, 0],
    std: [1, 1, 1],
  };
}

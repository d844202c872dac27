import type { Preprocessing } from '../../models/network.js';

/**
 * How pictures are decoded for augmentation: with the borders that `cropFraction` would cut off, as large as that leaves the central
 * part at the size of the network's input. `resizeThenCrop` keeps the aspect ratio, so the ends of the longer side are still cut off.
 */
export function wholePicture(preprocessing: Preprocessing): Preprocessing {
  const { height, width, fit, cropFraction } = preprocessing;
  const fraction = fit === 'stretch' ? 1 : cropFraction;
  return {
    ...preprocessing,
    height: Math.round(height / fraction),
    width: Math.round(width / fraction),
    fit: fit === 'resizeThenCrop' ? fit : 'stretch',
    cropFraction: 1,
  };
}

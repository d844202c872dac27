import type { Preprocessing } from '../../models/network.js';

/**
 * How pictures are decoded for augmentation: with the borders that `cropFraction` would cut off, as large as that leaves the central
 * part at the size of the network's input.
 */
export function wholePicture(preprocessing: Preprocessing): Preprocessing {
  const { height, width, fit, cropFraction } = preprocessing;
  const fraction = fit === 'centerCrop' ? cropFraction : 1;
  return {
    ...preprocessing,
    height: Math.round(height / fraction),
    width: Math.round(width / fraction),
    fit: 'stretch',
    cropFraction: 1,
  };
}

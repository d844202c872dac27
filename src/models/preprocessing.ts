import type { Preprocessing } from './network.js';
import { roundHalfEven } from './rounding.js';

/** Sizes in pixels, and where a part of that size begins. */
export interface Resizing {
  /** Of the whole picture after resizing. */
  readonly width: number;
  readonly height: number;
  /** Where the network's input begins in it. */
  readonly left: number;
  readonly top: number;
}

/**
 * How a picture is resized and cut with `resizeThenCrop`. For square inputs this is torchvision's Resize(R), CenterCrop(C) with
 * C / R = `cropFraction`: the shorter side becomes R, the longer one is rounded down, and the first row and column of the cut are
 * rounded as Python does. For other inputs the picture becomes just large enough to cover height and width / `cropFraction`.
 */
export function resizing(picture: { width: number; height: number }, preprocessing: Preprocessing): Resizing {
  const { cropFraction } = preprocessing;
  const wanted = {
    width: Math.round(preprocessing.width / cropFraction),
    height: Math.round(preprocessing.height / cropFraction),
  };
  const widthDecides = picture.width * wanted.height <= picture.height * wanted.width;
  const width = widthDecides ? wanted.width : Math.trunc((wanted.height * picture.width) / picture.height);
  const height = widthDecides ? Math.trunc((wanted.width * picture.height) / picture.width) : wanted.height;
  return {
    width,
    height,
    left: roundHalfEven((width - preprocessing.width) / 2),
    top: roundHalfEven((height - preprocessing.height) / 2),
  };
}

/**
 * What most of torchvision's ImageNet weights are evaluated with: the shorter side resized to 256 for an input of 224, the centre
 * of that, x / 255, then the training set's mean and deviation by channel.
 */
export function imagenetPreprocessing(height: number, width: number): Preprocessing {
  return {
    height,
    width,
    fit: 'resizeThenCrop',
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

/** As `imagenetPreprocessing`, but with values from -1 to 1: x / 127.5 - 1, as TensorFlow's ImageNet weights are trained with. */
export function symmetricPreprocessing(height: number, width: number): Preprocessing {
  return { ...imagenetPreprocessing(height, width), mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] };
}

/** What the network reads, [N, 3, H, W], of pictures that have its size: N x H x W x 3 bytes, RGB. */
export function normalized(
  pictures: Uint8Array,
  { height, width, channelOrder, scale, mean, std }: Preprocessing,
): Float32Array {
  const pixels = height * width;
  const values = new Float32Array(pictures.length);
  for (let start = 0; start < pictures.length; start += 3 * pixels) {
    for (let channel = 0; channel < 3; channel++) {
      const from = channelOrder === 'BGR' ? 2 - channel : channel;
      for (let pixel = 0; pixel < pixels; pixel++) {
        const byte = pictures[start + 3 * pixel + from] as number;
        values[start + channel * pixels + pixel] =
          (byte / scale - (mean[channel] as number)) / (std[channel] as number);
      }
    }
  }
  return values;
}

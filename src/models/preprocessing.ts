import { channelsOf, LUMA } from '../kernels/ops/pictures/pictures.js';
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

/** What the network reads, [N, C, H, W], of pictures that have its size: N x H x W x 3 bytes, RGB. */
export function normalized(pictures: Uint8Array, preprocessing: Preprocessing): Float32Array {
  const { height, width, channelOrder, scale, mean, std } = preprocessing;
  const pixels = height * width;
  const channels = channelsOf(preprocessing);
  const values = new Float32Array((pictures.length / 3) * channels);
  for (let place = 0; place < pictures.length / 3; place++) {
    const [picture, pixel] = [Math.floor(place / pixels), place % pixels];
    const value = (channel: number): number => {
      const byte = pictures[3 * place + (channelOrder === 'BGR' ? 2 - channel : channel)] as number;
      return (byte / scale - (mean[channel] as number)) / (std[channel] as number);
    };
    const start = picture * channels * pixels + pixel;
    if (channels === 1) values[start] = LUMA[0] * value(0) + LUMA[1] * value(1) + LUMA[2] * value(2);
    else for (let channel = 0; channel < 3; channel++) values[start + channel * pixels] = value(channel);
  }
  return values;
}

/**
 * The preprocessing of a network whose input has this many channels: grey for one, colours for three. Pictures have no others, so
 * for other numbers it stays as it is; such a network takes arrays, but no pictures.
 */
export function withChannels(preprocessing: Preprocessing, channels: number): Preprocessing {
  if (channels === channelsOf(preprocessing) || (channels !== 1 && channels !== 3)) return preprocessing;
  return { ...preprocessing, channelOrder: channels === 1 ? 'GREY' : 'RGB' };
}

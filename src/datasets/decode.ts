import sharp, { type Sharp } from 'sharp';
import type { Preprocessing } from '../models/network.js';
import { resizing } from '../models/preprocessing.js';
import { DatasetError } from './errors.js';
import { PICTURE_FORMATS, pictureFormat } from './pictureFormat.js';

/** A picture with more is refused: decoded, it would take three bytes for each. */
const MAX_PIXELS = 100_000_000;

// Many pictures at a time, each in one thread, decode faster than one picture in many threads.
sharp.concurrency(1);

/** Stands for what decodes: pictures decoded under equal versions are equal, byte by byte. The number counts changes here. */
export const DECODER = `1 ${JSON.stringify(sharp.versions)}`;

export interface PictureSize {
  /** Pixels, upright. */
  readonly width: number;
  readonly height: number;
}

/**
 * Decodes the whole picture, so that whatever passes here can be loaded later, and returns its size. Throws UNREADABLE_PICTURE
 * with the reason, not naming the picture.
 */
export async function inspectPicture(bytes: Uint8Array): Promise<PictureSize> {
  const { image, size } = await openPicture(bytes);
  // One pixel is enough for every byte to be read.
  await readable(image.resize(1, 1, { fit: 'fill', kernel: 'nearest' }).raw().toBuffer());
  return size;
}

/**
 * The picture as the network wants it: height x width x 3 bytes, RGB. Turned upright by its EXIF orientation, the first frame
 * of an animation, transparency over white, every colour space as sRGB, 8 bits. Throws UNREADABLE_PICTURE.
 */
export async function decodePicture(bytes: Uint8Array, preprocessing: Preprocessing): Promise<Uint8Array> {
  const { width, height, interpolation } = preprocessing;
  const { image, size } = await openPicture(bytes);
  // libvips could shrink JPEGs while it reads them: twice as fast for photos of 3000 pixels, but pixels come out differently from
  // a whole decoding, by up to 35 of 255 there.
  // libvips' `linear` is a triangle as wide as the scale asks for: PIL's BILINEAR, torchvision's antialiased bilinear.
  // `cubic` is Catmull-Rom, as PIL's BICUBIC.
  const kernel = interpolation === 'bilinear' ? 'linear' : 'cubic';
  const resize = (part: Sharp, to: { width: number; height: number }) =>
    part.resize(to.width, to.height, { fit: 'fill', kernel, fastShrinkOnLoad: false });
  const { left, top, ...whole } = resizing(size, preprocessing);
  const picture =
    preprocessing.fit === 'resizeThenCrop'
      ? resize(image, whole).extract({ left, top, width, height })
      : resize(image.extract(central(size, preprocessing)), { width, height });
  const { data, info } = await readable(picture.raw().toBuffer({ resolveWithObject: true }));
  if (info.channels !== 3 || data.length !== width * height * 3) {
    throw new DatasetError('UNREADABLE_PICTURE', `it decodes to ${info.channels} channels instead of 3`);
  }
  return data;
}

/** The part of the picture that the network sees with `stretch` and `centerCrop`. */
function central(size: PictureSize, { fit, cropFraction }: Preprocessing) {
  const fraction = fit === 'centerCrop' ? cropFraction : 1;
  const width = Math.max(1, Math.round(size.width * fraction));
  const height = Math.max(1, Math.round(size.height * fraction));
  return {
    left: Math.floor((size.width - width) / 2),
    top: Math.floor((size.height - height) / 2),
    width,
    height,
  };
}

async function openPicture(bytes: Uint8Array): Promise<{ image: Sharp; size: PictureSize }> {
  const format = pictureFormat(bytes);
  if (format === null) {
    throw new DatasetError('UNREADABLE_PICTURE', `it is not a picture in the format ${PICTURE_FORMATS}`);
  }
  const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: 'error', autoOrient: true });
  const { autoOrient } = await readable(image.metadata());
  const upright = image.flatten({ background: '#ffffff' }).toColourspace('srgb');
  return { image: upright, size: { width: autoOrient.width, height: autoOrient.height } };
}

async function readable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    const reason = (cause as Error).message.split('\n')[0] ?? '';
    throw new DatasetError('UNREADABLE_PICTURE', `it cannot be decoded: ${reason}`, { cause });
  }
}

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { crc32 } from 'node:zlib';
import sharp, { type Sharp } from 'sharp';
import { decodePicture, inspectPicture } from '../../src/datasets/decode.js';
import { DatasetError } from '../../src/datasets/errors.js';
import type { Preprocessing } from '../../src/models/network.js';

const preprocessing = (height: number, width: number, changes: Partial<Preprocessing> = {}): Preprocessing => ({
  height,
  width,
  fit: 'stretch',
  cropFraction: 1,
  interpolation: 'bilinear',
  channelOrder: 'RGB',
  scale: 255,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  ...changes,
});

const unreadable = (error: unknown): boolean => error instanceof DatasetError && error.code === 'UNREADABLE_PICTURE';

/** Four blocks of 8 x 8 pixels: red, green / blue, white. JPEG keeps them apart, its own blocks being of that size. */
const BLOCK = 8;
const COLOURS = [
  [255, 0, 0],
  [0, 255, 0],
  [0, 0, 255],
  [255, 255, 255],
] as const;

function blocks(): Sharp {
  const data = Buffer.alloc(16 * 16 * 3);
  for (let y = 0; y < 16; y++) {
    for (let x = 0; x < 16; x++) {
      const colour = COLOURS[(y < BLOCK ? 0 : 2) + (x < BLOCK ? 0 : 1)] as readonly number[];
      data.set(colour, (y * 16 + x) * 3);
    }
  }
  return sharp(data, { raw: { width: 16, height: 16, channels: 3 } });
}

/** The index in COLOURS of each quarter, from its middle, in reading order. */
function quarters(pixels: Uint8Array, side: number): number[] {
  return [0, 1, 2, 3].map((quarter) => {
    const y = Math.floor(side * (quarter < 2 ? 0.25 : 0.75));
    const x = Math.floor(side * (quarter % 2 === 0 ? 0.25 : 0.75));
    const seen = [...pixels.subarray((y * side + x) * 3, (y * side + x) * 3 + 3)];
    return COLOURS.findIndex((colour) => colour.every((value, c) => Math.abs(value - (seen[c] as number)) < 40));
  });
}

describe('decoding', () => {
  // Exif 2.32, tag Orientation: what is seen, as quarters of the stored picture in reading order.
  const seen: Record<number, number[]> = {
    1: [0, 1, 2, 3],
    2: [1, 0, 3, 2],
    3: [3, 2, 1, 0],
    4: [2, 3, 0, 1],
    5: [0, 2, 1, 3],
    6: [2, 0, 3, 1],
    7: [3, 1, 2, 0],
    8: [1, 3, 0, 2],
  };
  for (const [orientation, expected] of Object.entries(seen)) {
    test(`orientation ${orientation} is turned upright`, async () => {
      const bytes = await blocks()
        .withMetadata({ orientation: Number(orientation) })
        .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
        .toBuffer();
      assert.deepEqual(quarters(await decodePicture(bytes, preprocessing(16, 16)), 16), expected);
    });
  }

  test('the size is that of the upright picture', async () => {
    const wide = sharp({ create: { width: 20, height: 10, channels: 3, background: 'red' } });
    const bytes = await wide.withMetadata({ orientation: 6 }).jpeg().toBuffer();
    assert.deepEqual(await inspectPicture(bytes), { width: 10, height: 20 });
  });

  test('greyscale, 16 bits, a palette and CMYK become RGB', async () => {
    const grey = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#777777' } })
      .toColourspace('b-w')
      .png()
      .toBuffer();
    assert.equal((await sharp(grey).metadata()).channels, 1);
    assert.deepEqual([...(await decodePicture(grey, preprocessing(1, 1)))], [0x77, 0x77, 0x77]);

    const deep = await sharp({ create: { width: 4, height: 4, channels: 3, background: '#c04020' } })
      .toColourspace('rgb16')
      .png()
      .toBuffer();
    assert.equal((await sharp(deep).metadata()).depth, 'ushort');
    assert.deepEqual([...(await decodePicture(deep, preprocessing(1, 1)))], [0xc0, 0x40, 0x20]);

    const palette = await blocks().png({ palette: true, colours: 4, dither: 0 }).toBuffer();
    assert.deepEqual(quarters(await decodePicture(palette, preprocessing(16, 16)), 16), [0, 1, 2, 3]);

    const cmyk = await sharp({ create: { width: 8, height: 8, channels: 3, background: '#ff0000' } })
      .toColourspace('cmyk')
      .jpeg({ quality: 100 })
      .toBuffer();
    assert.equal((await sharp(cmyk).metadata()).space, 'cmyk');
    const [red, green, blue] = await decodePicture(cmyk, preprocessing(1, 1));
    // Printing inks do not reach screen red; it has to be clearly red all the same.
    assert.ok((red as number) > 200 && (green as number) < 90 && (blue as number) < 90, `${red} ${green} ${blue}`);
  });

  test('what is transparent is over white', async () => {
    const half = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 0, g: 0, b: 0, alpha: 0.5 } },
    })
      .png()
      .toBuffer();
    const [value] = await decodePicture(half, preprocessing(1, 1));
    assert.ok(Math.abs((value as number) - 127) <= 1, `${value}`);
    const none = await sharp({
      create: { width: 4, height: 4, channels: 4, background: { r: 9, g: 9, b: 9, alpha: 0 } },
    })
      .webp({ lossless: true })
      .toBuffer();
    assert.deepEqual([...(await decodePicture(none, preprocessing(1, 1)))], [255, 255, 255]);
  });

  test('an animation gives its first frame', async () => {
    const frame = (background: string) => ({ create: { width: 8, height: 8, channels: 3 as const, background } });
    const frames = [await sharp(frame('#ff0000')).png().toBuffer(), await sharp(frame('#0000ff')).png().toBuffer()];
    const bytes = await sharp(frames, { join: { animated: true } })
      .gif()
      .toBuffer();
    assert.equal((await sharp(bytes).metadata()).pages, 2);
    assert.deepEqual(await inspectPicture(bytes), { width: 8, height: 8 });
    assert.deepEqual([...(await decodePicture(bytes, preprocessing(1, 1)))], [255, 0, 0]);
  });

  test('stretch takes the whole picture, centerCrop its middle', async () => {
    // 10 columns of 10, 20, ... 100: the middle half of 10 is columns 2 to 6 (rounded 5, from floor 2.5).
    const data = Buffer.from(Array.from({ length: 10 * 10 * 3 }, (_, i) => (Math.floor(i / 3) % 10) * 10 + 10));
    const bytes = await sharp(data, { raw: { width: 10, height: 10, channels: 3 } })
      .png()
      .toBuffer();
    const whole = await decodePicture(bytes, preprocessing(10, 10));
    assert.deepEqual([...whole], [...data]);
    const half = preprocessing(5, 5, { fit: 'centerCrop', cropFraction: 0.5 });
    const middle = await decodePicture(bytes, half);
    assert.deepEqual(
      [...middle.subarray(0, 15)].filter((_, i) => i % 3 === 0),
      [30, 40, 50, 60, 70],
    );
  });

  // Made with torchvision 0.29 on PIL 12: resize(R, antialias=True), center_crop(C) of the picture below, channels side by side.
  const TORCHVISION = [
    {
      size: [13, 9],
      crop: [6, 5],
      interpolation: 'bilinear',
      pixels: [
        137, 76, 22, 194, 143, 27, 79, 153, 31, 59, 117, 35, 120, 143, 39, 153, 108, 58, 210, 175, 77, 95, 100, 98, 75,
        134, 118, 136, 87, 138, 168, 141, 94, 200, 182, 129, 85, 107, 168, 90, 167, 164, 151, 120, 154, 186, 175, 133,
        166, 152, 176, 51, 92, 115, 108, 130, 85, 169, 122, 93, 195, 193, 163, 136, 78, 122, 66, 125, 64, 123, 127, 123,
        184, 138, 174,
      ],
    },
    {
      size: [9, 14],
      crop: [7, 4],
      interpolation: 'cubic',
      pixels: [
        149, 139, 97, 208, 195, 136, 162, 165, 188, 20, 46, 160, 164, 172, 123, 221, 203, 181, 170, 63, 166, 38, 90, 38,
        183, 206, 153, 201, 161, 200, 23, 40, 25, 66, 127, 84, 198, 243, 179, 218, 41, 110, 29, 77, 70, 81, 163, 161,
      ],
    },
  ] as const;
  for (const { size, crop, interpolation, pixels: expected } of TORCHVISION) {
    test(`resizeThenCrop is torchvision's resize and centre crop (${interpolation})`, async () => {
      const [width, height] = size;
      const data = Buffer.from(
        Array.from({ length: width * height }, (_, i) => {
          const [x, y] = [i % width, Math.floor(i / width)];
          return [(x * 37 + y * 11) % 256, (x * x * 5 + y * 23) % 256, (x * y * 7 + 13) % 256];
        }).flat(),
      );
      const bytes = await sharp(data, { raw: { width, height, channels: 3 } })
        .png()
        .toBuffer();
      const [resized, side] = crop;
      const options = { fit: 'resizeThenCrop', cropFraction: side / resized, interpolation } as const;
      const pixels = await decodePicture(bytes, preprocessing(side, side, options));
      assert.equal(pixels.length, expected.length);
      // PIL and libvips round positions, coefficients and sums differently; neighbours of this picture differ by up to 255.
      const errors = expected.map((value, i) => Math.abs(value - (pixels[i] as number)));
      assert.ok(Math.max(...errors) <= 6, `${[...pixels].join()}`);
      assert.ok(errors.reduce((sum, error) => sum + error, 0) / errors.length < 1, `${[...pixels].join()}`);
    });
  }

  test('odd sizes and single pixels come out at the size asked for', async () => {
    for (const [width, height] of [
      [1, 1],
      [1, 7],
      [301, 3],
    ] as const) {
      const bytes = await sharp({ create: { width, height, channels: 3, background: '#336699' } })
        .png()
        .toBuffer();
      for (const interpolation of ['bilinear', 'cubic'] as const) {
        const options = preprocessing(5, 3, { interpolation, fit: 'centerCrop', cropFraction: 0.875 });
        const pixels = await decodePicture(bytes, options);
        assert.equal(pixels.length, 45);
        assert.ok(pixels.every((value, i) => value === [0x33, 0x66, 0x99][i % 3]));
      }
    }
  });

  test('shrinking averages, so that no pixel is lost', async () => {
    const data = Buffer.from(Array.from({ length: 64 * 64 * 3 }, (_, i) => (Math.floor(i / 3) % 2) * 255));
    const stripes = await sharp(data, { raw: { width: 64, height: 64, channels: 3 } })
      .png()
      .toBuffer();
    const pixels = await decodePicture(stripes, preprocessing(8, 8));
    assert.ok(
      pixels.every((value) => Math.abs(value - 127.5) < 25),
      [...pixels.subarray(0, 12)].join(),
    );
  });
});

/** A PNG whose correct header says that it is larger than it is. */
async function hugePng(width: number, height: number): Promise<Buffer> {
  const png = await blocks().png().toBuffer();
  png.writeUInt32BE(width, 16);
  png.writeUInt32BE(height, 20);
  // The checksum is over the chunk's type and its 13 bytes (PNG specification, 5.3).
  png.writeUInt32BE(crc32(png.subarray(12, 29)), 29);
  return png;
}

describe('what is no picture', () => {
  test('is refused with the reason', async () => {
    const jpeg = await blocks().jpeg().toBuffer();
    const png = await blocks().resize(200, 200).png({ compressionLevel: 0 }).toBuffer();
    const files: Record<string, Uint8Array> = {
      empty: new Uint8Array(),
      text: Buffer.from('no picture'),
      'a web page': Buffer.from('<!doctype html><p>404'),
      SVG: Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'),
      'a cut JPEG': jpeg.subarray(0, jpeg.length / 2),
      'a cut PNG': png.subarray(0, png.length / 2),
      'the first bytes of a PNG': png.subarray(0, 20),
      'too many pixels': await hugePng(20_000, 20_000),
    };
    for (const [name, bytes] of Object.entries(files)) {
      await assert.rejects(inspectPicture(bytes), unreadable, name);
      await assert.rejects(decodePicture(bytes, preprocessing(4, 4)), unreadable, name);
    }
    await assert.rejects(inspectPicture(files['too many pixels'] as Uint8Array), /pixel/);
  });
});

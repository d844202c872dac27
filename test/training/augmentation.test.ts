import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AUGMENTATION_COLUMNS } from '../../src/kernels/ops/augment/parameters.js';
import { drawBatch, mixedTargets } from '../../src/training/augmentation/batch.js';
import { inverseMap } from '../../src/training/augmentation/geometry.js';
import {
  type AugmentationPolicy,
  augmentationProblems,
  NO_AUGMENTATION,
} from '../../src/training/augmentation/policy.js';
import { beta, type RandomStream, randomStream } from '../../src/training/augmentation/random.js';
import {
  type AugmentationSizes,
  type DrawnAugmentation,
  drawAugmentation,
} from '../../src/training/augmentation/sample.js';
import { freshSeed } from './fixtures.js';

const seed = freshSeed() >>> 0;

/** Chance lets an estimate lie further off than this many of its standard deviations less than once in a million times. */
const SIGMAS = 5;

const SIZES: AugmentationSizes = {
  source: { height: 400, width: 320 },
  central: { height: 350, width: 280 },
  target: { height: 90, width: 70 },
};

const everything: AugmentationPolicy = {
  randomResizedCrop: { scale: { min: 0.08, max: 1 }, ratio: { min: 3 / 4, max: 4 / 3 } },
  horizontalFlip: 0.5,
  verticalFlip: 0.25,
  rotation: 20,
  translation: { horizontal: 0.1, vertical: 0.2 },
  shear: { horizontal: 10, vertical: 5 },
  fill: [1, 2, 3],
  colorJitter: { brightness: 0.4, contrast: 0.3, saturation: 1.5, hue: 0.1 },
  grayscale: 0.2,
  randomErasing: { probability: 0.3, scale: { min: 0.02, max: 0.33 }, ratio: { min: 0.3, max: 3.3 }, value: 0.5 },
  mixup: 0.2,
  cutmix: 1,
};

function draws(policy: Partial<AugmentationPolicy>, count: number, sizes = SIZES): DrawnAugmentation[] {
  const whole = { ...NO_AUGMENTATION, ...policy };
  return Array.from({ length: count }, (_, i) => drawAugmentation(whole, sizes, { seed, epoch: 3, picture: `p${i}` }));
}

/** That the mean of `values` is `mean`, their standard deviation being at most `deviation`; `slack` for what is rounded. */
function assertMean(values: readonly number[], mean: number, deviation: number, what: string, slack = 0): void {
  const actual = values.reduce((sum, value) => sum + value, 0) / values.length;
  const tolerance = (SIGMAS * deviation) / Math.sqrt(values.length) + slack;
  assert.ok(Math.abs(actual - mean) <= tolerance, `${what}: mean ${actual} instead of ${mean} within ${tolerance}`);
}

function assertUniform(values: readonly number[], min: number, max: number, what: string, slack = 0): void {
  for (const value of values) assert.ok(value >= min - slack && value <= max + slack, `${what}: ${value}`);
  const width = max - min;
  assertMean(values, (min + max) / 2, width / Math.sqrt(12), what, slack);
  // The square of the distance to the middle of a uniform number: mean w^2 / 12, variance w^4 / 180.
  const squares = values.map((value) => (value - (min + max) / 2) ** 2);
  assertMean(squares, width ** 2 / 12, width ** 2 / Math.sqrt(180), `${what}, spread`, slack * width);
}

const assertFrequency = (hits: readonly boolean[], probability: number, what: string): void =>
  assertMean(hits.map(Number), probability, Math.sqrt(probability * (1 - probability)), what);

describe(`random numbers of augmentation, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  const many = (next: RandomStream, count: number) => Array.from({ length: count }, next);

  test('are uniform, along a stream and across pictures, epochs, seeds and decisions', () => {
    const n = 20_000;
    const across = (make: (i: number) => RandomStream) => Array.from({ length: n }, (_, i) => make(i)());
    assertUniform(many(randomStream(seed, 1, 'a', 0), n), 0, 1, 'stream');
    assertUniform(
      across((i) => randomStream(seed, 1, `picture ${i}`, 0)),
      0,
      1,
      'pictures',
    );
    assertUniform(
      across((i) => randomStream(seed, i, 'a', 0)),
      0,
      1,
      'epochs',
    );
    assertUniform(
      across((i) => randomStream(i, 1, 'a', 0)),
      0,
      1,
      'seeds',
    );
    assertUniform(
      across((i) => randomStream(seed, 1, 'a', i)),
      0,
      1,
      'decisions',
    );
  });

  test('that follow each other, or belong to neighbouring keys, do not hang together', () => {
    const n = 20_000;
    const values = many(randomStream(seed, 1, 'a', 0), n + 1);
    const products = (a: readonly number[], b: readonly number[]) =>
      Array.from({ length: n }, (_, i) => ((a[i] as number) - 0.5) * ((b[i] as number) - 0.5));
    assertMean(products(values, values.slice(1)), 0, 1 / 12, 'successors');
    const epochs = (shift: number) =>
      Array.from({ length: n }, (_, i) => randomStream(seed, 1 + shift, `picture ${i}`, 0)());
    assertMean(products(epochs(0), epochs(1)), 0, 1 / 12, 'epochs');
    const decisions = (decision: number) =>
      Array.from({ length: n }, (_, i) => randomStream(seed, 1, `picture ${i}`, decision)());
    assertMean(products(decisions(0), decisions(1)), 0, 1 / 12, 'decisions');
  });

  for (const [a, b] of [
    [0.01, 0.01],
    [0.2, 0.2],
    [1, 1],
    [4, 4],
    [2, 5],
    [0.5, 3],
  ] as const) {
    test(`Beta(${a}, ${b}) has its moments`, () => {
      const next = randomStream(seed, 1, `beta ${a} ${b}`, 0);
      const values = Array.from({ length: 20_000 }, () => beta(next, a, b));
      assert.ok(values.every((value) => value >= 0 && value <= 1));
      const mean = a / (a + b);
      const variance = (a * b) / ((a + b) ** 2 * (a + b + 1));
      assertMean(values, mean, Math.sqrt(variance), 'values');
      // (x - mean)^2 is at most 1, hence its variance at most its mean.
      const squares = values.map((value) => (value - mean) ** 2);
      assertMean(squares, variance, Math.sqrt(variance), 'squares');
    });
  }
});

describe(`augmentations that a policy draws, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  test('without any, a picture is its central part', () => {
    const [only] = draws({}, 1);
    assert.deepEqual(only, {
      crop: { left: 20, top: 25, right: 300, bottom: 375 },
      inverse: [1, 0, 0, 0, 1, 0],
      colour: { brightness: 1, contrast: 1, saturation: 1, hue: 0 },
      colourOrder: only?.colourOrder,
      greyscale: false,
      erase: null,
      mix: null,
    });
  });

  test('crops: area, ratio and place', () => {
    const scale = { min: 0.1, max: 0.3 };
    const ratio = { min: 0.5, max: 2 };
    const crops = draws({ randomResizedCrop: { scale, ratio } }, 10_000).map(({ crop }) => crop);
    const { height, width } = SIZES.source;
    for (const { left, top, right, bottom } of crops) {
      assert.ok([left, top, right, bottom].every(Number.isInteger));
      assert.ok(left >= 0 && top >= 0 && right <= width && bottom <= height && right > left && bottom > top);
    }
    const size = crops.map(({ left, top, right, bottom }) => [right - left, bottom - top] as const);
    // Sides are rounded: half a pixel of at least 80.
    const slack = 0.5 / 80;
    const shares = size.map(([w, h]) => (w * h) / (width * height));
    assertUniform(shares, scale.min, scale.max, 'share', 2 * slack * scale.max);
    const ratios = size.map(([w, h]) => Math.log(w / h));
    assertUniform(ratios, Math.log(ratio.min), Math.log(ratio.max), 'log ratio', 2 * slack);
    const places = crops.map(({ left, right }) => left / (width - (right - left)));
    assertUniform(places, 0, 1, 'place', 1 / 50);
  });

  test('a crop that never fits falls back to the centre', () => {
    const sizes = { ...SIZES, source: { height: 10, width: 100 } };
    const policy = (min: number, max: number) => ({
      randomResizedCrop: { scale: { min: 1, max: 1 }, ratio: { min, max } },
    });
    const [wide] = draws(policy(0.9, 1.1), 1, sizes);
    assert.deepEqual(wide?.crop, { left: 44, top: 0, right: 55, bottom: 10 });
    const [tall] = draws(policy(20, 20), 1, sizes);
    assert.deepEqual(tall?.crop, { left: 0, top: 2, right: 100, bottom: 7 });
  });

  test('flips come as often as asked', () => {
    const drawn = draws({ horizontalFlip: 0.3, verticalFlip: 0.8 }, 10_000);
    const sides = drawn.map(({ inverse }) => ({ x: inverse[0] === -1, y: inverse[4] === -1 }));
    assertFrequency(
      sides.map(({ x }) => x),
      0.3,
      'horizontal',
    );
    assertFrequency(
      sides.map(({ y }) => y),
      0.8,
      'vertical',
    );
    assertFrequency(
      sides.map(({ x, y }) => x && y),
      0.24,
      'both',
    );
    const flipped = drawn.find(({ inverse }) => inverse[0] === -1 && inverse[4] === -1);
    assert.deepEqual(flipped?.inverse, [-1, 0, SIZES.target.width - 1, 0, -1, SIZES.target.height - 1]);
  });

  test('angles, shifts and shears are uniform within their limits', () => {
    const turned = draws({ rotation: 30 }, 10_000).map(
      ({ inverse }) => (Math.atan2(inverse[1], inverse[0]) * 180) / Math.PI,
    );
    assertUniform(turned, -30, 30, 'angle', 1e-9);
    const shifted = draws({ translation: { horizontal: 0.5, vertical: 0.2 } }, 10_000).map(({ inverse }) => inverse);
    assert.ok(shifted.every((map) => Number.isInteger(map[2]) && Number.isInteger(map[5])));
    // Rounded to whole pixels: 1 / 12 of a pixel's square more spread.
    assertUniform(
      shifted.map((map) => map[2] / SIZES.target.width),
      -0.5,
      0.5,
      'horizontal shift',
      0.001,
    );
    assertUniform(
      shifted.map((map) => map[5] / SIZES.target.height),
      -0.2,
      0.2,
      'vertical shift',
      0.001,
    );
    const sheared = draws({ shear: { horizontal: 12, vertical: 0 } }, 10_000).map(({ inverse }) => inverse);
    assertUniform(
      sheared.map((map) => (Math.atan(map[1]) * 180) / Math.PI),
      -12,
      12,
      'shear',
      1e-9,
    );
  });

  test('colours vary within their limits and in every order alike', () => {
    const n = 9_600;
    const drawn = draws({ colorJitter: { brightness: 0.4, contrast: 0.2, saturation: 1.5, hue: 0.1 } }, n);
    assertUniform(
      drawn.map(({ colour }) => colour.brightness),
      0.6,
      1.4,
      'brightness',
    );
    assertUniform(
      drawn.map(({ colour }) => colour.contrast),
      0.8,
      1.2,
      'contrast',
    );
    assertUniform(
      drawn.map(({ colour }) => colour.saturation),
      0,
      2.5,
      'saturation',
    );
    assertUniform(
      drawn.map(({ colour }) => colour.hue),
      -0.1,
      0.1,
      'hue',
    );
    const counts = new Map<string, number>();
    for (const { colourOrder } of drawn) counts.set(colourOrder.join(), (counts.get(colourOrder.join()) ?? 0) + 1);
    assert.equal(counts.size, 24);
    for (const [order, count] of counts) {
      assert.ok(Math.abs(count - n / 24) <= SIGMAS * Math.sqrt(n / 24), `${order}: ${count} of ${n}`);
    }
  });

  test('grey pictures and erased boxes', () => {
    assertFrequency(
      draws({ grayscale: 0.2 }, 10_000).map(({ greyscale }) => greyscale),
      0.2,
      'grey',
    );
    const scale = { min: 0.05, max: 0.2 };
    const ratio = { min: 0.5, max: 2 };
    const drawn = draws({ randomErasing: { probability: 0.4, scale, ratio, value: 1.5 } }, 10_000);
    assertFrequency(
      drawn.map(({ erase }) => erase !== null),
      0.4,
      'erased',
    );
    const erased = drawn.flatMap(({ erase }) => erase ?? []);
    const { height, width } = SIZES.target;
    for (const { box, value } of erased) {
      assert.deepEqual(value, [1.5, 1.5, 1.5]);
      assert.ok(box.left >= 0 && box.top >= 0 && box.right <= width && box.bottom <= height);
      const [h, w] = [box.bottom - box.top, box.right - box.left];
      const rounding = (h + w + 1) / 2 / (height * width);
      const share = (h * w) / (height * width);
      assert.ok(share >= scale.min - rounding && share <= scale.max + rounding, `share ${share}`);
      assert.ok((h + 0.5) / (w - 0.5) >= ratio.min && (h - 0.5) / (w + 0.5) <= ratio.max, `${h} x ${w}`);
    }
  });

  test('mixing: shares, pasted boxes and the choice between the two', () => {
    const { height, width } = SIZES.target;
    const both = draws({ mixup: 0.5, cutmix: 1 }, 10_000).flatMap(({ mix }) => mix ?? []);
    assert.equal(both.length, 10_000);
    assertFrequency(
      both.map(({ pasted }) => pasted === null),
      0.5,
      'mixup',
    );
    for (const { own, pasted, share } of both) {
      assert.ok(share >= 0 && share <= 1);
      if (pasted === null) assert.equal(own, share);
      else {
        assert.equal(own, 1);
        assert.ok(pasted.left >= 0 && pasted.top >= 0 && pasted.right <= width && pasted.bottom <= height);
        const area = (pasted.right - pasted.left) * (pasted.bottom - pasted.top);
        assert.ok(Math.abs(1 - area / (height * width) - share) < 1e-12);
      }
    }
    const mixed = both.filter(({ pasted }) => pasted === null).map(({ share }) => share);
    assertMean(mixed, 0.5, Math.sqrt(1 / 8), 'mixup shares');
    assert.ok(draws({ mixup: 1 }, 100).every(({ mix }) => mix?.pasted === null));
    assert.ok(draws({ cutmix: 1 }, 100).every(({ mix }) => mix?.pasted));
  });
});

describe(`what augmentations hang on, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
  const pictures = ['a', 'b', 'c', 'd', 'e'];
  const row = (table: Float32Array, index: number) =>
    table.slice(index * AUGMENTATION_COLUMNS, (index + 1) * AUGMENTATION_COLUMNS);

  test('the same picture has the same in any batch; other epochs, seeds and pictures have others', () => {
    const policy = { ...everything, mixup: 0, cutmix: 0 };
    const key = { seed, epoch: 2 };
    const whole = drawBatch(policy, SIZES, { ...key, pictures });
    const reversed = drawBatch(policy, SIZES, { ...key, pictures: pictures.toReversed() });
    const alone = drawBatch(policy, SIZES, { ...key, pictures: ['c'] });
    // The columns that name the partner differ with the place: `mix` of a picture that is not mixed names the picture itself.
    const comparable = (values: Float32Array) => values.map((value, column) => (column === 11 ? 0 : value));
    for (const index of pictures.keys()) {
      assert.deepEqual(comparable(row(whole.table, index)), comparable(row(reversed.table, 4 - index)));
    }
    assert.deepEqual(comparable(row(whole.table, 2)), comparable(alone.table));
    const draw = (epoch: number, itsSeed: number, picture: string) =>
      JSON.stringify(drawAugmentation(everything, SIZES, { epoch, seed: itsSeed, picture }));
    assert.equal(draw(2, seed, 'a'), draw(2, seed, 'a'));
    const others = [draw(2, seed, 'a'), draw(3, seed, 'a'), draw(2, seed ^ 1, 'a'), draw(2, seed, 'b')];
    assert.equal(new Set(others).size, 4);
  });

  test('switching one augmentation on leaves the others as they were', () => {
    const with_ = drawAugmentation(everything, SIZES, { seed, epoch: 1, picture: 'a' });
    const without = { ...everything, randomResizedCrop: null, randomErasing: null, mixup: 0, cutmix: 0 };
    const less = drawAugmentation(without, SIZES, { seed, epoch: 1, picture: 'a' });
    assert.deepEqual({ ...less, crop: null, erase: null, mix: null }, { ...with_, crop: null, erase: null, mix: null });
  });

  test('targets of mixed pictures: the previous picture has the rest', () => {
    const targets = mixedTargets([2, 0, 2, 0xffffffff], [1, 0.75, 0.5, 1], 3);
    assert.deepEqual([...targets], [0, 0, 1, 0.75, 0, 0.25, 0.5, 0, 0.5, 0, 0, 0]);
    assert.deepEqual([...mixedTargets([1, 1], [0.25, 0.5], 2)], [0, 1, 0, 1]);
  });
});

describe('maps of affine augmentations', () => {
  // F._get_inverse_affine_matrix([0, 0], degrees, translate, 1, shear) of torchvision 0.29.2, moved from the centre of 7 x 8 pixels
  // to the first pixel's.
  const cases = [
    [
      25,
      [0, 0],
      [0, 0],
      [
        0.9063077870366499, 0.42261826174069944, -0.939932039850373, -0.42261826174069944, 0.9063077870366499,
        1.7602405549824982,
      ],
    ],
    [0, [2, -1], [0, 0], [1, 0, -2, 0, 1, 1]],
    [
      0,
      [0, 0],
      [8, -5],
      [0.98770427020107, 0.14054083470239145, -0.3785874498109192, -0.087488663525924, 1, 0.30621032234073375],
    ],
    [
      -17,
      [-1, 1],
      [-12, 6],
      [
        0.8727948145570967, -0.48910879775372057, 3.27444815462214, 0.39288338477916096, 0.9255752515248301,
        -1.684509468047223,
      ],
    ],
  ] as const;
  const none = { horizontal: false, vertical: false };
  const size = { height: 7, width: 8 };
  for (const [degrees, [x, y], [sx, sy], expected] of cases) {
    test(`${degrees} degrees, shifted by (${x}, ${y}), sheared by (${sx}, ${sy}), as torchvision`, () => {
      const parameters = {
        degrees,
        translation: { horizontal: x, vertical: y },
        shear: { horizontal: sx, vertical: sy },
      };
      inverseMap({ ...parameters, flip: none }, size).forEach((value, i) => {
        assert.ok(Math.abs(value - (expected[i] as number)) < 1e-12, `${i}: ${value} instead of ${expected[i]}`);
      });
      const flipped = inverseMap({ ...parameters, flip: { horizontal: true, vertical: false } }, size);
      // The flip comes first, so what is taken back lies mirrored in the picture.
      [-1, -1, -1, 1, 1, 1].forEach((sign, i) => {
        const value = sign * (expected[i] as number) + (i === 2 ? size.width - 1 : 0);
        assert.ok(Math.abs((flipped[i] as number) - value) < 1e-12, `flipped ${i}`);
      });
    });
  }
});

describe('policies', () => {
  test('that are right pass', () => {
    assert.deepEqual(augmentationProblems(NO_AUGMENTATION), []);
    assert.deepEqual(augmentationProblems(everything), []);
  });

  test('that are wrong are told what is wrong', () => {
    const wrong: AugmentationPolicy = {
      ...everything,
      horizontalFlip: 1.5,
      colorJitter: { brightness: 0, contrast: 0, saturation: Number.NaN, hue: 0.6 },
      randomResizedCrop: { scale: { min: 0.5, max: 0.2 }, ratio: { min: 1, max: 1 } },
      fill: [0, 0, 256],
    };
    assert.deepEqual(augmentationProblems(wrong), [
      'augmentation.horizontalFlip is 1.5; allowed is a number from 0 to 1',
      'augmentation.fill.2 is 256; allowed is a number from 0 to 255',
      'augmentation.colorJitter.saturation is NaN; allowed is a number from 0 to 10',
      'augmentation.colorJitter.hue is 0.6; allowed is a number from 0 to 0.5',
      'augmentation.randomResizedCrop.scale goes from 0.5 to 0.2; min may not be above max',
    ]);
    const incomplete = { ...NO_AUGMENTATION, shear: undefined } as unknown as AugmentationPolicy;
    assert.match(augmentationProblems(incomplete).join(), /shear\.horizontal is undefined/);
    const unknown = { ...NO_AUGMENTATION, blur: 1 } as unknown as AugmentationPolicy;
    assert.match(augmentationProblems(unknown).join(), /augmentation\.blur is unknown; known are randomResizedCrop/);
  });
});

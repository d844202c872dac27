import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readPictureConfig } from '../../src/models/formats/pictureConfig.js';

const read = (value: unknown) => readPictureConfig(Buffer.from(JSON.stringify(value)));
const MEAN = [0.485, 0.456, 0.406];
const STD = [0.229, 0.224, 0.225];

describe("publishers' configurations of pictures", () => {
  const timm = {
    architecture: 'resnet50',
    num_classes: 2,
    label_names: ['cat', 'dog'],
    pretrained_cfg: {
      input_size: [3, 224, 224],
      interpolation: 'bicubic',
      crop_pct: 0.95,
      crop_mode: 'center',
      mean: MEAN,
      std: STD,
    },
  };
  const common = { channelOrder: 'RGB', scale: 255, mean: MEAN, std: STD };

  test("timm's: the shorter side is the floor of size / crop_pct", () => {
    const fitted = { fit: 'resizeThenCrop', cropFraction: 224 / 235, interpolation: 'cubic' };
    assert.deepEqual(read(timm), { inputSize: 224, preprocessing: { ...common, ...fitted }, classes: ['cat', 'dog'] });
    const { label_names: _, ...unlabelled } = timm;
    assert.deepEqual(read({ ...unlabelled.pretrained_cfg, num_classes: 2 }), {
      inputSize: 224,
      preprocessing: { ...common, ...fitted },
    });
    const change = (changes: object) => read({ ...timm, pretrained_cfg: { ...timm.pretrained_cfg, ...changes } });
    assert.equal(change({ crop_mode: 'squash' }).preprocessing?.fit, 'centerCrop');
    assert.equal(change({ crop_mode: 'border' }).preprocessing?.fit, undefined);
    assert.equal(change({ interpolation: 'random' }).preprocessing?.interpolation, undefined);
    assert.deepEqual(change({ input_size: [1, 224, 224] }), {});
    assert.deepEqual(change({ mean: [0.5] }), {});
  });

  test("an image processor's: cut from the shortest edge, by a share, or stretched", () => {
    const processor = {
      do_normalize: true,
      image_mean: MEAN,
      image_std: STD,
      resample: 2,
      do_rescale: true,
      rescale_factor: 0.00392156862745098,
    };
    const bilinear = { ...common, interpolation: 'bilinear' };
    assert.deepEqual(
      read({
        ...processor,
        size: { shortest_edge: 256 },
        do_center_crop: true,
        crop_size: { height: 224, width: 224 },
      }),
      { inputSize: 224, preprocessing: { ...bilinear, fit: 'resizeThenCrop', cropFraction: 224 / 256 } },
    );
    assert.deepEqual(read({ ...processor, size: { shortest_edge: 224 }, crop_pct: 0.875 }), {
      inputSize: 224,
      preprocessing: { ...bilinear, fit: 'resizeThenCrop', cropFraction: 224 / 256 },
    });
    assert.deepEqual(
      read({ ...processor, size: { height: 192, width: 192 }, do_normalize: false, do_rescale: false }),
      {
        inputSize: 192,
        preprocessing: {
          ...bilinear,
          scale: 1,
          mean: [0, 0, 0],
          std: [1, 1, 1],
          fit: 'stretch',
          cropFraction: 1,
        },
      },
    );
    assert.deepEqual(read({ ...processor, size: { height: 192, width: 100 } }), {});
    assert.deepEqual(read({ ...processor, size: { shortest_edge: 1e9 }, crop_pct: 0.9 }), {});
  });

  test('anything else says nothing', () => {
    for (const other of [{}, [], null, 'x', { pretrained_cfg: 3 }, { hidden_size: 768 }])
      assert.deepEqual(read(other), {});
    assert.deepEqual(readPictureConfig(Buffer.from('{')), {});
  });
});

import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { describe, test } from 'node:test';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { importTfjs } from '../../src/models/formats/tfjs.js';
import { Random } from '../../src/models/random.js';
import { readModelBundle, readShardBundle } from '../../src/models/zoo/nsfwjs.js';
import { assertClose, freshSeed, throwsModelError, toChw, uniform } from './fixtures.js';
import { referenceOutput } from './reference.js';

interface TfjsJson {
  readonly modelTopology: unknown;
  readonly weightsManifest: readonly { weights: tf.io.WeightsManifestEntry[] }[];
}

describe("nsfwjs's MobileNet-v2, read without executing its bundles", () => {
  const folder = 'node_modules/nsfwjs/dist/models/mobilenet_v2';
  const read = async () => {
    const json = readModelBundle(await readFile(`${folder}/model.min.js`, 'latin1')) as TfjsJson;
    const shard = readShardBundle(await readFile(`${folder}/group1-shard1of1.min.js`, 'latin1'));
    return { json, shard };
  };

  test('the bundles hold what Node reads when it executes them', async () => {
    const { json, shard } = await read();
    const require = createRequire(`${process.cwd()}/package.json`);
    assert.deepEqual(json, require(`${process.cwd()}/${folder}/model.min.js`));
    const base64 = require(`${process.cwd()}/${folder}/group1-shard1of1.min.js`) as string;
    assert.deepEqual(shard, new Uint8Array(Buffer.from(base64, 'base64')));
  });

  test("every weight equals tfjs's dequantisation", async () => {
    const { json, shard } = await read();
    const { weights } = importTfjs(json, () => shard);
    const entries = json.weightsManifest.flatMap((group) => group.weights);
    const decoded = tf.io.decodeWeights(shard.buffer as ArrayBuffer, entries);
    assert.equal(weights.size, entries.length);
    for (const [name, tensor] of Object.entries(decoded)) {
      let expected = tensor;
      if (name.endsWith('depthwise_kernel')) expected = tf.transpose(tensor, [2, 3, 0, 1]);
      else if (tensor.rank === 4) expected = tf.transpose(tensor, [3, 2, 0, 1]);
      else if (tensor.rank === 2) expected = tf.transpose(tensor);
      assert.deepEqual(weights.get(name)?.shape, expected.shape, name);
      assert.deepEqual(weights.get(name)?.data, expected.dataSync(), name);
    }
  });

  test('its output is that of tfjs, on 64 pixels', async (t) => {
    const { json, shard } = await read();
    // The same network on smaller pictures: only the input and the window of the last pooling change.
    const text = JSON.stringify(json);
    const smaller = text.replace('[null,224,224,3]', '[null,64,64,3]').replaceAll('[7,7]', '[2,2]');
    const small = JSON.parse(smaller) as TfjsJson;
    const artifacts = {
      modelTopology: small.modelTopology as object,
      weightSpecs: small.weightsManifest.flatMap((group) => group.weights),
      weightData: shard.buffer as ArrayBuffer,
    };
    const model = await tfl.loadLayersModel(tf.io.fromMemory(artifacts));
    const pictures = uniform(new Random(freshSeed(t)), 64 * 64 * 3, 0, 1);
    const expected = (model.predict(tf.tensor4d(pictures, [1, 64, 64, 3])) as tf.Tensor).dataSync();
    const { network, weights } = importTfjs(small, () => shard);
    assertClose(referenceOutput(network, weights, toChw(pictures, [1, 64, 64, 3])).data, expected, 1e-4);
  });

  test('bundles that are not what they should be are refused', async () => {
    throwsModelError(() => readModelBundle('module.exports = {}'), 'INVALID_FILE', /newer version/);
    const wrap = (literal: string) => `!function(){}({1:[function(e,a,n){a.exports=${literal}},{}]},{},[1])`;
    assert.deepEqual(readModelBundle(wrap('{a:!0,"b c":[.5,-1e-7,null,!1],d:"\\u0041\\n"}')), {
      a: true,
      'b c': [0.5, -1e-7, null, false],
      d: 'A\n',
    });
    throwsModelError(() => readModelBundle(wrap('{a:process.exit()}')), 'INVALID_FILE', /process/);
    throwsModelError(() => readModelBundle(wrap('['.repeat(5000))), 'INVALID_FILE', /deeper/);
    throwsModelError(() => readModelBundle(wrap('{a:"')), 'INVALID_FILE');
    throwsModelError(() => readShardBundle(wrap('"ab*c"')), 'INVALID_FILE', /base64/);
    assert.deepEqual(readShardBundle(wrap('"AAECAw=="')), Uint8Array.of(0, 1, 2, 3));
  });
});

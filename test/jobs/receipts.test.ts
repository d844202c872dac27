import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import pino from 'pino';
import sharp from 'sharp';
import { decodePicture } from '../../src/datasets/decode.js';
import { exportOnnx } from '../../src/models/formats/onnx/exportOnnx.js';
import type { Model } from '../../src/models/graph.js';
import type { Preprocessing } from '../../src/models/network.js';
import { normalized } from '../../src/models/preprocessing.js';
import { Random } from '../../src/models/random.js';
import type { NetworkRecord, ReferenceInput, Services } from '../../src/services/api.js';
import { createServices } from '../../src/services/createServices.js';
import { uniform } from '../models/fixtures.js';
import { floatArray } from '../models/npyWriter.js';
import { tensor } from '../models/onnxWriter.js';
import { onnxOutput } from '../models/onnxRuntime.js';
import { importSmall, testConfig, upload } from '../services/fixtures.js';
import { temporaryFolder } from '../store/fixtures.js';
import { freshSeed, seeded, smallNetwork } from '../training/fixtures.js';

const SIDE = 12;
const seed = freshSeed();

describe('receipts', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  let model: Model;
  let file: Uint8Array;
  let picture: Buffer;
  before(async () => {
    folder = await temporaryFolder();
    services = await createServices(testConfig(folder.path), { logger: pino({ level: 'silent' }) });
    model = smallNetwork(['a', 'b', 'c'], seeded(seed));
    file = exportOnnx(model);
    const random = new Random(seed);
    const pixels = Buffer.from(Array.from({ length: SIDE * SIDE * 3 }, () => Math.floor(256 * random.uniform())));
    picture = await sharp(pixels, { raw: { width: SIDE, height: SIDE, channels: 3 } })
      .png()
      .toBuffer();
  });
  after(async () => {
    await services.close();
    await folder.remove();
  });

  const save = async (name: string, data: Uint8Array): Promise<string> => (await upload(services, name, data)).id;
  const receiptOf = async ({ headRevisionId }: NetworkRecord) =>
    (await services.receiptsOfRevisions([headRevisionId]))[0] ?? assert.fail('no receipt');
  async function importFile(reference?: ReferenceInput, preprocessing?: Partial<Preprocessing>) {
    const uploadIds = [await save('model.onnx', file)];
    return receiptOf(await services.importNetwork({ name: 'x', uploadIds, reference, preprocessing }));
  }
  const shape = [2, 3, SIDE, SIDE];
  const inputs = () => uniform(new Random(seed), 2 * 3 * SIDE * SIDE);

  test('an export is run by ONNX Runtime, on pictures of one’s own too', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const { headRevisionId } = await importSmall(services, ['a', 'b', 'c'], seed);
    const options = { pictureUploadIds: [await save('mine.png', picture)], softmax: true };
    const { receipt } = await services.exportRevision(headRevisionId, 'ONNX', options);
    assert.equal(receipt?.notCompared, null);
    assert.equal(receipt?.comparison?.inputs, 3);
    assert.match(receipt?.comparison?.against ?? '', /^onnxruntime-node /);
    assert.ok((receipt?.comparison?.relativeDifference ?? 1) <= 1e-4, JSON.stringify(receipt?.comparison));
    assert.deepEqual(receipt?.warnings, []);
  });

  test('an import says what it did, and that it agrees with a reference', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const { data } = await onnxOutput(file, shape, inputs());
    const reference = {
      inputUploadIds: [await save('x.npy', floatArray(shape, inputs()))],
      outputUploadIds: [await save('y.pb', tensor('y', [2, 3], data))],
    };
    const receipt = await importFile(reference);
    assert.deepEqual(
      receipt.files.map(({ name, bytes }) => [name, bytes]),
      [['model.onnx', file.length]],
    );
    const [conversion] = receipt.conversions;
    assert.deepEqual([conversion?.format, conversion?.version], ['ONNX', 'operator set 17, written by graft']);
    assert.ok(conversion?.mapped.some(({ from, to, count }) => from === 'Conv' && to === 'conv2d' && count === 2));
    assert.ok(conversion?.mapped.some(({ from, to }) => from === 'Gemm' && to === 'dense'));
    // The exported file says its preprocessing.
    assert.deepEqual(receipt.preprocessing, model.network.preprocessing);
    assert.ok(receipt.preprocessingSources.every(({ origin }) => origin === 'file'));
    assert.equal(receipt.comparison?.against, 'reference outputs (y.pb)');
    assert.equal(receipt.comparison?.inputs, 2);
    assert.ok((receipt.comparison?.relativeDifference ?? 1) <= 1e-4, JSON.stringify(receipt.comparison));
    assert.deepEqual(receipt.warnings, []);
  });

  test('a reference that another network made is warned of, with the input that shows it', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const { data } = await onnxOutput(file, shape, inputs());
    data[4] = (data[4] as number) + 0.5 * Math.max(...data.map(Math.abs));
    const reference = {
      inputUploadIds: [await save('x.npy', floatArray(shape, inputs()))],
      outputUploadIds: [await save('y.npy', floatArray([2, 3], data))],
    };
    const receipt = await importFile(reference);
    assert.equal(receipt.comparison?.input, 'x.npy[1]');
    // ONNX Runtime computes from the file what we do: no layer is to blame.
    assert.equal(receipt.comparison?.divergingLayer, null);
    assert.match(receipt.warnings[0] ?? '', /^WRONG RESULTS: .*x\.npy\[1\]/);
  });

  test('a wrong mean shows on a picture, and the input is to blame', async (t) => {
    t.diagnostic(`seed ${seed} (GRAFT_TEST_SEED repeats it)`);
    const { preprocessing } = model.network;
    const x = normalized(await decodePicture(picture, preprocessing), preprocessing);
    const { data } = await onnxOutput(file, [1, 3, SIDE, SIDE], x);
    const reference = {
      inputUploadIds: [await save('ants.png', picture)],
      outputUploadIds: [await save('y.npy', floatArray([1, 3], data))],
    };
    assert.deepEqual((await importFile(reference)).warnings, []);
    const wrong = await importFile(reference, { mean: [0.1, 0.2, 0.9] });
    assert.deepEqual([wrong.comparison?.input, wrong.comparison?.divergingLayer?.name], ['ants.png', 'input']);
    assert.match(wrong.warnings[0] ?? '', /^WRONG RESULTS: .*ants\.png.*layer input/);
    assert.deepEqual(
      wrong.preprocessingSources.flatMap(({ field, origin }) => (origin === 'request' ? [field] : [])),
      ['mean'],
    );
  });
});

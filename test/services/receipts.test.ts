import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ServiceError, type Services } from '../../src/services/api.js';
import { floatArray } from '../models/npyWriter.js';
import { FLOAT, onnxFile, tensor, valueInfo } from '../models/onnxWriter.js';
import { temporaryFolder } from '../store/fixtures.js';
import { fakeServices, importSmall, testConfig, upload } from './fixtures.js';

/** Padding of its own, a convolution, a bias that is added, a mean and a softmax: 3 x 8 x 8 -> 4. */
function foreignFile(): Uint8Array {
  const nodes = [
    { op: 'Pad', name: 'pad', inputs: ['x', 'pads'], outputs: ['padded'] },
    { op: 'Conv', name: 'conv', inputs: ['padded', 'w'], outputs: ['c'] },
    { op: 'Add', name: 'bias', inputs: ['c', 'b'], outputs: ['d'] },
    { op: 'GlobalAveragePool', name: 'mean', inputs: ['d'], outputs: ['m'] },
    { op: 'Flatten', name: 'flat', inputs: ['m'], outputs: ['f'] },
    { op: 'Softmax', name: 'probabilities', inputs: ['f'], outputs: ['y'], attributes: { axis: 1 } },
  ];
  const initializers = [
    tensor('pads', [8], [0, 0, 1, 1, 0, 0, 1, 1], 7),
    tensor('w', [4, 3, 3, 3], new Float32Array(108).fill(0.1), FLOAT),
    tensor('b', [1, 4, 1, 1], [1, 2, 3, 4], FLOAT),
  ];
  return onnxFile({ nodes, initializers, inputs: [valueInfo('x', ['N', 3, 8, 8])] });
}

describe('receipts of imports', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path));
  });
  after(async () => {
    await services.close();
    await folder.remove();
  });

  const save = async (name: string, data: Uint8Array) => (await upload(services, name, data)).id;
  async function importForeign(more: object = {}) {
    const uploadIds = [await save('model.onnx', foreignFile())];
    const { headRevisionId } = await services.importNetwork({ name: 'x', uploadIds, ...more });
    return (await services.receiptsOfRevisions([headRevisionId]))[0];
  }

  test('say what was mapped, folded and left out, and what was assumed', async () => {
    const receipt = await importForeign();
    const [conversion] = receipt?.conversions ?? [];
    assert.ok(
      conversion?.mapped.some(({ from, to }) => from === 'Conv' && to === 'conv2d'),
      JSON.stringify(conversion),
    );
    assert.ok(
      conversion?.folded.some((line) => /zeroPad|pad: part of the convolution/i.test(line)),
      JSON.stringify(conversion),
    );
    assert.ok(
      conversion?.folded.some((line) => line.startsWith('softmax probabilities: left out')),
      JSON.stringify(conversion),
    );
    assert.equal(receipt?.notCompared, 'No reference was given with the file.');
    const assumed = receipt?.preprocessingSources.flatMap(({ field, origin }) => (origin === 'default' ? [field] : []));
    assert.ok(assumed?.includes('mean') && !assumed.includes('height'));
    assert.match(receipt?.warnings[0] ?? '', /^Preprocessing channelOrder, scale, mean, std: .*ImageNet's is assumed/);
  });

  test('do not warn of a preprocessing that was given, or that a reference confirms', async () => {
    const preprocessing = { channelOrder: 'RGB', scale: 255, mean: [0, 0, 0], std: [1, 1, 1] };
    assert.deepEqual((await importForeign({ preprocessing }))?.warnings, []);
    const reference = {
      inputUploadIds: [await save('x.npy', floatArray([1, 3, 8, 8], new Float32Array(192)))],
      outputUploadIds: [await save('y.npy', floatArray([1, 4], new Float32Array(4)))],
    };
    assert.deepEqual((await importForeign({ reference }))?.warnings, []);
  });

  test('are there for Graft’s own files, and only for imports', async () => {
    const network = await importSmall(services, ['a', 'b', 'c']);
    const edited = await services.freeze(network.id, { all: true });
    const [own, none] = await services.receiptsOfRevisions([network.headRevisionId, edited.id]);
    assert.deepEqual(own?.warnings, []);
    assert.ok(own?.preprocessingSources.every(({ origin }) => origin === 'file'));
    assert.equal(none, null);
  });

  test('references that do not fit are refused, and nothing is imported', async () => {
    const x = await save('x.npy', floatArray([1, 3, 8, 8], new Float32Array(192)));
    const y = await save('y.npy', floatArray([1, 4], new Float32Array(4)));
    const short = await save('short.npy', floatArray([100], new Float32Array(100)));
    const two = await save('x2.npy', floatArray([2, 3, 8, 8], new Float32Array(384)));
    const three = await save('y3.npy', floatArray([3], new Float32Array(3)));
    const notes = await save('notes.txt', Buffer.from('notes'));
    const before = (await services.networks({ first: 1 })).totalCount;
    const refused = async (inputUploadIds: string[], outputUploadIds: string[], message: RegExp) =>
      assert.rejects(importForeign({ reference: { inputUploadIds, outputUploadIds } }), (error) => {
        assert.ok(error instanceof ServiceError && error.code === 'BAD_USER_INPUT', String(error));
        assert.match(error.message, message);
        return true;
      });
    await refused([short], [y], /short\.npy has 100 values; the network reads 192/);
    await refused([two], [three], /3 output values for 2 inputs/);
    await refused([notes], [y], /notes\.txt is no array/);
    await refused([x], [], /inputs and outputs/);
    assert.equal((await services.networks({ first: 1 })).totalCount, before);
  });
});

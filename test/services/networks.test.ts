import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import * as tfl from '@tensorflow/tfjs-layers';
import { resnetCifar } from '../../src/models/architectures/resnetCifar.js';
import { writePytorch } from '../../src/models/formats/pytorch/write.js';
import { writeModel, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { Weights } from '../../src/models/network.js';
import { type NetworkRecord, type RevisionRecord, ServiceError, type Services } from '../../src/services/api.js';
import { temporaryFolder } from '../store/fixtures.js';
import { seeded, smallNetwork } from '../training/fixtures.js';
import { fakeServices, importSmall, insertPictures, testConfig, upload } from './fixtures.js';
import { zip } from './zip.js';

const CLASSES = ['red', 'green', 'blue'];
const hasCode =
  (code: string, message = /./) =>
  (error: unknown) =>
    error instanceof ServiceError && error.code === code && message.test(error.message);

describe('networks', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let services: Services;
  before(async () => {
    folder = await temporaryFolder();
    services = await fakeServices(testConfig(folder.path, { maxUploadBytes: 2_000_000 }));
  });
  after(async () => {
    await services.close();
    await folder.remove();
  });

  const head = async (network: NetworkRecord): Promise<RevisionRecord> => {
    const [now] = await services.networksById([network.id]);
    const [revision] = await services.revisionsById([now?.headRevisionId as string]);
    return revision as RevisionRecord;
  };

  test('every edit is a new revision on top of the last; edits of layers share the weights', async () => {
    const network = await importSmall(services, CLASSES);
    const first = await head(network);
    const frozen = await services.freeze(network.id, { upTo: 'pool' });
    assert.equal(frozen.parentId, first.id);
    assert.equal(frozen.weightsHash, first.weightsHash);
    assert.match(frozen.summary, /^froze \d+ layers up to pool$/);
    const slow = await services.setLearningRateFactor(network.id, { pattern: 'conv*' }, 0.1);
    assert.equal(slow.parentId, frozen.id);
    const grafted = await services.replaceHead(network.id, { classes: ['cat', 'dog'], hiddenUnits: 8 });
    assert.deepEqual(grafted.classes, ['cat', 'dog']);
    assert.notEqual(grafted.weightsHash, first.weightsHash);
    const random = await services.randomizeWeights(network.id, 3);
    const [beforeLayers = [], afterLayers = []] = await services.layersOfRevisions([grafted.id, random.id]);
    const factors = (layers: typeof beforeLayers) => layers.map(({ layer }) => layer.learningRateFactor);
    assert.ok(factors(beforeLayers).includes(0.1) && factors(beforeLayers).includes(0));
    assert.ok(factors(afterLayers).every((factor) => factor === 1));
    const again = await services.randomizeWeights(network.id, 3);
    assert.equal(again.weightsHash, random.weightsHash, 'equal weights are stored once');
    const [page] = await services.revisionsOfNetworks([network.id], { first: 10 });
    assert.equal(page?.totalCount, 6);
    assert.deepEqual(page?.items[0]?.node, again);
    assert.deepEqual(page?.items[5]?.node, first);
  });

  test('a head takes labels or the classes of a data set', async () => {
    const network = await importSmall(services, CLASSES);
    const datasetId = await insertPictures(folder.path, ['x', 'y', 'z', 'w']);
    const revision = await services.replaceHead(network.id, { datasetId });
    assert.deepEqual(revision.classes, ['x', 'y', 'z', 'w']);
    await assert.rejects(services.replaceHead(network.id, {}), hasCode('BAD_USER_INPUT', /either classes/));
    await assert.rejects(
      services.replaceHead(network.id, { datasetId, classes: ['a'] }),
      hasCode('BAD_USER_INPUT', /not both/),
    );
    await assert.rejects(services.replaceHead(network.id, { datasetId: 'nothing' }), hasCode('NOT_FOUND'));
    await assert.rejects(services.replaceHead(network.id, { classes: [] }), hasCode('BAD_USER_INPUT', /1 to/));
  });

  test('layers and networks that do not exist are named', async () => {
    const network = await importSmall(services, CLASSES);
    await assert.rejects(services.freeze(network.id, { names: ['conv9'] }), hasCode('BAD_USER_INPUT', /nearest: conv/));
    await assert.rejects(services.unfreeze(network.id, { pattern: 'x*' }), hasCode('BAD_USER_INPUT', /x\*/));
    await assert.rejects(services.freeze('nothing', { all: true }), hasCode('NOT_FOUND', /"nothing"/));
    await assert.rejects(
      services.setLearningRateFactor(network.id, { all: true }, -1),
      hasCode('BAD_USER_INPUT', /got -1/),
    );
    assert.equal(
      (await services.revisionsOfNetworks([network.id], { first: 1 }))[0]?.totalCount,
      1,
      'nothing was made',
    );
  });

  test('of edits at once, none is lost: each is made of the one before, or hears of it', async () => {
    const network = await importSmall(services, CLASSES);
    const layers = ['conv1', 'bn1', 'conv2', 'bn2'];
    const edits = await Promise.allSettled(layers.map((name) => services.freeze(network.id, { names: [name] })));
    const made = edits.flatMap((edit) => (edit.status === 'fulfilled' ? [edit.value] : []));
    for (const edit of edits) if (edit.status === 'rejected') assert.ok(hasCode('CONFLICT')(edit.reason));
    assert.ok(made.length >= 1);
    // One chain, from the network's newest revision to its first.
    const chain: string[] = [];
    for (let id: string | null = (await head(network)).id; id !== null; ) {
      chain.push(id);
      const [revision] = await services.revisionsById([id]);
      id = revision?.parentId ?? null;
    }
    assert.deepEqual(chain.slice(0, -1).sort(), made.map(({ id }) => id).sort());
  });

  test('a fork begins with the revision it was made of, and lives on its own', async () => {
    const network = await importSmall(services, CLASSES);
    const frozen = await services.freeze(network.id, { all: true });
    const fork = await services.forkNetwork(frozen.id, 'fork');
    const first = await head(fork);
    assert.equal(first.weightsHash, frozen.weightsHash);
    assert.equal(first.parentId, frozen.id);
    await services.unfreeze(fork.id, { all: true });
    assert.equal((await head(network)).id, frozen.id);
    assert.equal(await services.deleteNetwork(network.id), true);
    assert.deepEqual(await services.networksById([network.id, fork.id]), [
      null,
      (await services.networksById([fork.id]))[0],
    ]);
    assert.deepEqual(await services.revisionsById([frozen.id]), [null]);
  });

  test('an exported revision can be imported again, bit by bit the same', async () => {
    const network = await importSmall(services, CLASSES, 9);
    const revision = await services.freeze(network.id, { names: ['conv1', 'bn1'] });
    const exported = await services.exportRevision(revision.id, 'SAFETENSORS');
    assert.match(exported.filename, /^small-[0-9a-f]{8}\.safetensors$/);
    assert.deepEqual(await services.exportRevision(revision.id, 'SAFETENSORS'), exported);
    const { stream, bytes } = await services.openBlob(exported.hash);
    assert.equal(bytes, exported.bytes);
    const file = await services.saveUpload('again.safetensors', stream, 1e8);
    const copy = await head(await services.importNetwork({ name: 'copy', uploadIds: [file.id] }));
    assert.equal(copy.weightsHash, revision.weightsHash);
    assert.deepEqual(await services.layersOfRevisions([copy.id]), await services.layersOfRevisions([revision.id]));
    await assert.rejects(services.exportRevision('nothing', 'SAFETENSORS'), hasCode('NOT_FOUND'));
  });

  test('an export says what was written, and each way of writing is made once', async () => {
    const revision = await head(await importSmall(services, CLASSES, 4));
    const plain = await services.exportRevision(revision.id, 'ONNX');
    const options = { softmax: true, pictures: { type: 'uint8', layout: 'NHWC' } } as const;
    const pictures = await services.exportRevision(revision.id, 'ONNX', options);
    assert.notEqual(plain.hash, pictures.hash);
    assert.match(plain.filename, /^small-[0-9a-f]{8}\.onnx$/);
    assert.deepEqual(await services.exportRevision(revision.id, 'ONNX', options), pictures);
    const folder = await services.exportRevision(revision.id, 'FOLDER');
    assert.match(folder.filename, /\.zip$/);
    assert.deepEqual(await services.exportsOfRevisions([revision.id, 'nothing']), [[folder, pictures, plain], []]);
    assert.deepEqual(plain.receipt?.files, [{ name: plain.filename, bytes: plain.bytes, hash: plain.hash }]);
    assert.deepEqual(plain.receipt?.preprocessing, revision.preprocessing);
    assert.ok(plain.receipt?.preprocessingSources.every(({ origin }) => origin === 'network'));
    const [conversion] = plain.receipt?.conversions ?? [];
    assert.equal(conversion?.format, 'ONNX');
    assert.deepEqual(
      conversion?.mapped.find(({ from }) => from === 'conv2d'),
      { from: 'conv2d', to: 'Conv', count: 2 },
    );
    assert.ok(folder.receipt?.files.some(({ name }) => name === 'README.md'));
    const { stream } = await services.openBlob(folder.hash);
    const file = await services.saveUpload('folder.zip', stream, 1e8);
    const copy = await head(await services.importNetwork({ name: 'copy', uploadIds: [file.id] }));
    assert.equal(copy.weightsHash, revision.weightsHash);
    assert.equal(plain.receipt?.comparison?.against, 'a fake engine');
    assert.deepEqual(plain.receipt?.warnings, []);
    await assert.rejects(
      services.exportRevision(revision.id, 'SAFETENSORS', options),
      hasCode('BAD_USER_INPUT', /no options/),
    );
  });

  test('a state dict that cannot be imported again says so in its receipt', async () => {
    const revision = await head(await importSmall(services, CLASSES, 7));
    const { receipt } = await services.exportRevision(revision.id, 'PYTORCH');
    assert.match(receipt?.warnings[0] ?? '', /no network.*no built-in architecture.*ONNX, safetensors and a folder/);
    assert.equal(receipt?.warnings.length, 1);
    const own = await services.createNetwork({ zooId: 'resnet20_cifar', pretrained: false });
    const exported = await services.exportRevision(own.headRevisionId, 'PYTORCH');
    assert.deepEqual(exported.receipt?.warnings, []);
  });

  test('an export that another engine computes otherwise warns and names the layer', async () => {
    const revision = await head(await importSmall(services, ['differs', 'too']));
    const { receipt } = await services.exportRevision(revision.id, 'ONNX');
    assert.match(receipt?.warnings[0] ?? '', /^WRONG RESULTS: .*a fake engine by 50.0 %.*fake picture.*layer conv2 /);
  });

  test('an export is not compared where that is not wanted, not possible or fails, and is the next time', async () => {
    const revision = await head(await importSmall(services, CLASSES, 5));
    const without = await services.exportRevision(revision.id, 'ONNX', { compare: false });
    assert.deepEqual([without.receipt?.comparison, without.receipt?.notCompared], [null, 'It was not asked for.']);
    assert.ok((await services.exportRevision(revision.id, 'ONNX')).receipt?.comparison);
    const weights = await services.exportRevision(revision.id, 'PYTORCH');
    assert.match(weights.filename, /\.pth$/);
    assert.match(weights.receipt?.notCompared ?? '', /No other engine/);
    const failing = await head(await importSmall(services, ['out of memory', 'b']));
    assert.match(
      (await services.exportRevision(failing.id, 'ONNX')).receipt?.notCompared ?? '',
      /failed: .*out of memory/,
    );
    await assert.rejects(
      services.exportRevision(revision.id, 'ONNX', { pictureUploadIds: ['nothing'] }),
      hasCode('NOT_FOUND'),
    );
  });

  test('files that are no networks are refused with what is known of them', async () => {
    const importing = async (name: string, data: Uint8Array) =>
      services.importNetwork({ name: 'x', uploadIds: [(await upload(services, name, data)).id] });
    await assert.rejects(importing('notes.txt', Buffer.from('hello')), hasCode('UNSUPPORTED_FILE', /notes\.txt/));
    await assert.rejects(
      importing('model.h5', Buffer.from('\x89HDF\r\n\x1a\n', 'latin1')),
      hasCode('UNSUPPORTED_FILE', /HDF5/),
    );
    const zip = Buffer.concat([Buffer.from('PK\x03\x04'), Buffer.alloc(100)]);
    await assert.rejects(importing('broken.zip', zip), hasCode('UNSUPPORTED_FILE', /broken\.zip is not a zip archive/));
    const tensors = new Map([['odd', { shape: [1], data: new Float32Array(1) }]]);
    const weightsOnly = writeSafetensors({ metadata: new Map(), tensors });
    await assert.rejects(importing('odd.safetensors', weightsOnly), hasCode('UNSUPPORTED_FILE', /built-in/));
    const { id } = await upload(services, 'a', writeModel(smallNetwork(CLASSES, seeded(1))));
    await assert.rejects(services.importNetwork({ name: 'x', uploadIds: ['nothing'] }), hasCode('NOT_FOUND', /upload/));
    await assert.rejects(services.importNetwork({ name: 'x', uploadIds: [] }), hasCode('BAD_USER_INPUT', /1 to 1000/));
    await assert.rejects(
      services.importNetwork({ name: 'x', uploadIds: [id, id] }),
      hasCode('BAD_USER_INPUT', /Two files/),
    );
    const big = await upload(services, 'big', Buffer.alloc(2_000_001));
    await assert.rejects(services.importNetwork({ name: 'x', uploadIds: [big.id] }), hasCode('LIMIT_EXCEEDED'));
  });

  test('a PyTorch checkpoint is imported whole, though it is a zip archive', async () => {
    const network = resnetCifar({ depth: 20, classes: 4 });
    const weights = initializeWeights(network, 5);
    const more = new Map([...weights, ['extra', { shape: [1], data: new Float32Array(1) }]]);
    const importing = async (tensors: Weights, options = {}) => {
      const { id } = await upload(services, 'upload.bin', writePytorch({ network, weights: tensors }));
      return services.importNetwork({ name: 'cifar', uploadIds: [id], classes: ['a', 'b', 'c', 'd'], ...options });
    };
    const first = await head(await importing(weights));
    assert.deepEqual([first.classes, first.summary], [['a', 'b', 'c', 'd'], 'imported from pytorch']);
    await assert.rejects(importing(more), hasCode('UNSUPPORTED_FILE', /nearest is resnet20_cifar: unknown are extra/));
    const named = await head(await importing(more, { architecture: 'resnet20_cifar' }));
    assert.equal(named.weightsHash, first.weightsHash);
  });

  test('a TF.js model is imported from a zip archive, or from its files', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 4, kernelSize: 3, inputShape: [8, 8, 3] }),
        tfl.layers.globalAveragePooling2d({}),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    const files: Record<string, Uint8Array> = {};
    await model.save({
      save: async ({ modelTopology, weightSpecs: weights, weightData }) => {
        const weightsManifest = [{ paths: ['shard.bin'], weights }];
        files['model.json'] = Buffer.from(JSON.stringify({ modelTopology, weightsManifest }));
        files['shard.bin'] = new Uint8Array(weightData as ArrayBuffer);
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
    const inFolder = Object.fromEntries(Object.entries(files).map(([name, data]) => [`model/${name}`, data]));
    const archive = await upload(services, 'model.zip', zip(inFolder));
    const loose = await Promise.all(Object.entries(files).map(([name, data]) => upload(services, name, data)));
    const zipped = await services.importNetwork({ name: 'zipped', uploadIds: [archive.id], classes: ['a', 'b'] });
    const whole = await services.importNetwork({ name: 'loose', uploadIds: loose.map(({ id }) => id) });
    assert.deepEqual((await head(zipped)).classes, ['a', 'b']);
    assert.equal((await head(zipped)).weightsHash, (await head(whole)).weightsHash);

    const importing = async (data: Uint8Array) =>
      services.importNetwork({ name: 'x', uploadIds: [(await upload(services, 'x.zip', data)).id] });
    const bomb = { 'a.bin': new Uint8Array(3_000_000) };
    await assert.rejects(importing(zip(bomb)), hasCode('LIMIT_EXCEEDED', /GRAFT_MAX_UPLOAD_MB/));
    await assert.rejects(importing(zip(bomb, 100)), hasCode('UNSUPPORTED_FILE', /x\.zip is not a zip archive/));
    await assert.rejects(importing(zip({ '../a.bin': new Uint8Array(3) })), hasCode('UNSUPPORTED_FILE'));
  });

  test('each batch takes one statement, whatever its size', async () => {
    const networks = [await importSmall(services, CLASSES), await importSmall(services, CLASSES)];
    const ids = networks.map(({ id }) => id);
    const revisions = networks.map(({ headRevisionId }) => headRevisionId);
    const datasets = [await insertPictures(folder.path, CLASSES), await insertPictures(folder.path, CLASSES)];
    const page = { first: 5 };
    const batches: [string, () => Promise<readonly unknown[]>][] = [
      ['networksById', () => services.networksById(ids)],
      ['revisionsById', () => services.revisionsById(revisions)],
      ['revisionsOfNetworks', () => services.revisionsOfNetworks(ids, page)],
      ['layersOfRevisions', () => services.layersOfRevisions(revisions)],
      ['datasetsById', () => services.datasetsById(datasets)],
      ['classCountsOfDatasets', () => services.classCountsOfDatasets(datasets)],
      ['picturesOfDatasets', () => services.picturesOfDatasets(datasets, { split: 'train' }, page)],
      ['runsById', () => services.runsById(ids)],
      ['eventsOfRuns', () => services.eventsOfRuns(ids)],
      ['networks', async () => (await services.networks({ first: 2 })).items],
    ];
    for (const [name, batch] of batches) {
      const before = services.statementCount();
      assert.equal((await batch()).length, 2, name);
      assert.equal(services.statementCount(), before + 1, name);
    }
  });

  test('uploads are kept by content under the name that was given, which is only a name', async () => {
    const one = await upload(services, '../../etc/passwd', Buffer.from('hello'));
    const two = await upload(services, 'C:\\pictures\\cat\u0007.png', Buffer.from('hello'));
    assert.equal(one.filename, 'passwd');
    assert.equal(two.filename, 'cat.png');
    assert.equal(one.hash, two.hash);
    assert.notEqual(one.id, two.id);
    assert.equal(await text((await services.openBlob(one.hash)).stream), 'hello');
    await assert.rejects(services.openBlob('../graft.db'), hasCode('NOT_FOUND'));
    await assert.rejects(services.networks({ first: -1 }), hasCode('BAD_USER_INPUT'));
  });
});

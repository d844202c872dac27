import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { writeSafetensors } from '../../src/models/formats/safetensors.js';
import { initializeWeights } from '../../src/models/initialize.js';
import type { ZooEntry } from '../../src/models/zoo/manifest.js';
import { type DownloadRecord, ServiceError, type Services } from '../../src/services/api.js';
import { type Installation, openInstallation } from '../../src/services/installation.js';
import { fileServer, serve, sha256 } from '../downloads/fileServer.js';
import { temporaryFolder } from '../store/fixtures.js';
import { fakeServices, testConfig } from './fixtures.js';

const hasCode =
  (code: string, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

/** The smallest network of the zoo, with weights that a server of ours publishes. */
function published(entry: ZooEntry, file: Uint8Array, url: string, sha = sha256(file)): ZooEntry {
  assert.ok(entry.weights);
  const source = { kind: 'url', url } as const;
  const files = [{ name: 'small.bin', sources: [source], sha256: sha, bytes: file.length, bytesTolerance: 0 }];
  return { ...entry, weights: { ...entry.weights, files } };
}

describe('networks of the zoo', () => {
  const tensors = initializeWeights(buildArchitecture('squeezenet1_1'), 5);
  const file = writeSafetensors({ metadata: new Map(), tensors });
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: Awaited<ReturnType<typeof fileServer>>;
  let services: Services;
  let installation: Installation;
  before(async () => {
    folder = await temporaryFolder();
    server = await fileServer((request, response, visits) => {
      if (request.url === '/missing.pth') response.writeHead(404).end();
      else serve(file, { slowly: request.url === '/slow.pth' })(request, response, visits);
    });
    const real = await openInstallation();
    const small = real.zoo.find(({ id }) => id === 'squeezenet1_1') as ZooEntry;
    const other = { ...small, architecture: 'squeezenet1_0', id: 'other' };
    installation = {
      ...real,
      zoo: [
        ...real.zoo,
        { ...published(small, file, `${server.url}/slow.pth`), id: 'here' },
        { ...published(small, file, `${server.url}/missing.pth`, '0'.repeat(64)), id: 'missing' },
        { ...published(other, file, `${server.url}/file.pth`), id: 'other' },
      ],
    };
    services = await fakeServices(testConfig(folder.path), installation);
  });
  after(async () => {
    await services.close();
    await server.close();
    await folder.remove();
  });

  const watch = async (operationId: string) => {
    const seen: DownloadRecord[] = [];
    for await (const record of services.watchDownload(operationId)) seen.push(record);
    return seen;
  };

  test('are listed with what is known of them', () => {
    const entry = services.zoo().find(({ id }) => id === 'resnet50');
    assert.ok(entry);
    assert.equal(entry.weights, 'IMAGENET1K_V2');
    assert.equal(entry.source, 'https://download.pytorch.org/models/resnet50-11ad3fa6.pth');
    assert.deepEqual(entry.files[0]?.sha256, '11ad3fa6');
    assert.equal(entry.top1, 80.858);
    assert.equal(entry.preprocessing.fit, 'resizeThenCrop');
    assert.equal(entry.classCount, 1000);
  });

  test('are created with the weights of an installed package', async () => {
    const network = await services.createNetwork({ zooId: 'mobilenet_v2_nsfw', name: '  mine ' });
    assert.equal(network.name, 'mine');
    const [layers = []] = await services.layersOfRevisions([network.headRevisionId]);
    const entry = services.zoo().find(({ id }) => id === 'mobilenet_v2_nsfw');
    assert.equal(
      layers.reduce((sum, { parameters }) => sum + parameters, 0),
      entry?.parameters,
    );
  });

  test('are created with random weights without a download', async () => {
    const network = await services.createNetwork({ zooId: 'missing', pretrained: false, seed: 3 });
    const [revision] = await services.revisionsById([network.headRevisionId]);
    assert.equal(revision?.summary, 'missing, random weights (seed 3)');
    assert.equal(revision?.classes, null);
    assert.equal(server.visits.length, 0);
  });

  test('without published weights they are random only where that is asked for', async () => {
    const zooId = 'resnet20_cifar';
    const refused = hasCode('BAD_USER_INPUT', /No weights are published for resnet20_cifar\. .*pretrained: false/);
    await assert.rejects(services.createNetwork({ zooId }), refused);
    await assert.rejects(services.createNetwork({ zooId, pretrained: true, seed: 1 }), refused);
    const network = await services.createNetwork({ zooId, pretrained: false, seed: 1 });
    const [revision] = await services.revisionsById([network.headRevisionId]);
    assert.equal(revision?.summary, 'resnet20_cifar, random weights (seed 1)');
  });

  test('are created with published weights, whose download can be watched', async () => {
    const early = watch('one');
    const network = await services.createNetwork({ zooId: 'here', operationId: 'one' });
    const [revision] = await services.revisionsById([network.headRevisionId]);
    assert.equal(revision?.summary, 'pretrained weights of here');
    assert.equal(revision?.classes?.length, 1000);
    assert.equal(revision?.preprocessing.cropFraction, 224 / 256);
    const [receipt] = await services.receiptsOfRevisions([network.headRevisionId]);
    assert.deepEqual(receipt?.files, [{ name: 'small.bin', bytes: file.length, hash: sha256(file) }]);
    assert.deepEqual(receipt?.warnings, []);
    assert.ok(receipt?.preprocessingSources.every(({ origin }) => origin === 'zoo'));
    const seen = await early;
    assert.ok(seen.length >= 2, `${seen.length}`);
    assert.deepEqual(seen.at(-1), {
      operationId: 'one',
      state: 'SUCCEEDED',
      file: 'small.bin',
      url: `${server.url}/slow.pth`,
      receivedBytes: file.length,
      totalBytes: file.length,
      error: null,
    });
    assert.deepEqual(await watch('one'), seen.slice(-1), 'a late watcher hears how it ended');
    assert.ok(existsSync(join(folder.path, 'downloads', 'small.bin')));
    const visits = server.visits.length;
    await services.createNetwork({ zooId: 'here' });
    assert.equal(server.visits.length, visits, 'the cache has it');
  });

  test('are created for pictures of another size, and for grey ones', async () => {
    const created = async (input: { inputSize?: number; inChannels?: number; pretrained?: boolean }) => {
      const network = await services.createNetwork({ zooId: 'here', ...input });
      const [revision] = await services.revisionsById([network.headRevisionId]);
      const [layers = []] = await services.layersOfRevisions([network.headRevisionId]);
      assert.ok(revision);
      return { preprocessing: revision.preprocessing, input: layers[0]?.outputShape, revision };
    };
    for (const pretrained of [true, false]) {
      const { preprocessing, input } = await created({ inputSize: 96, inChannels: 1, pretrained });
      assert.deepEqual(input, [1, 96, 96]);
      assert.deepEqual([preprocessing.height, preprocessing.width, preprocessing.channelOrder], [96, 96, 'GREY']);
    }
    await assert.rejects(
      created({ inputSize: 10 }),
      hasCode('BAD_USER_INPUT', /SqueezeNet 1\.1 .* from 17 to \d+; got 10/),
    );
    const alexnet = services.createNetwork({ zooId: 'alexnet', inputSize: 32, pretrained: false });
    await assert.rejects(alexnet, hasCode('BAD_USER_INPUT', /AlexNet .* from 63 to \d+; got 32/));
  });

  test('say what to do where the weights cannot be had', async () => {
    await assert.rejects(
      services.createNetwork({ zooId: 'missing', operationId: 'two' }),
      hasCode(
        'DOWNLOAD_FAILED',
        /missing\.pth does not exist.*by hand: .*small\.bin.*GRAFT_ZOO_MIRROR.*pretrained: false/,
      ),
    );
    const [record] = await watch('two');
    assert.equal(record?.state, 'FAILED');
    assert.match(record?.error ?? '', /does not exist/);
    const another = services.createNetwork({ zooId: 'other' });
    await assert.rejects(another, hasCode('UNSUPPORTED_FILE', /weights of other .* squeezenet1_0/));
    await assert.rejects(services.createNetwork({ zooId: 'nothing' }), hasCode('NOT_FOUND', /it has mobilenet_v2/));
    await assert.rejects(services.createNetwork({ zooId: 'here', name: ' ' }), hasCode('BAD_USER_INPUT', /1 to 200/));
    await assert.rejects(services.createNetwork({ zooId: 'here', seed: -1 }), hasCode('BAD_USER_INPUT', /seed/));
    const wrong = services.createNetwork({ zooId: 'here', operationId: 'x\n' });
    await assert.rejects(wrong, hasCode('BAD_USER_INPUT', /operationId/));
  });

  test('a download is cancelled by its name; a watcher that leaves while it waits leaves nothing', async () => {
    const own = await temporaryFolder();
    const other = await fakeServices(testConfig(own.path), installation);
    const watching = other.watchDownload('three');
    const creating = other.createNetwork({ zooId: 'here', operationId: 'three' });
    const { value } = await watching.next();
    assert.equal(value?.state, 'RUNNING');
    const again = other.createNetwork({ zooId: 'here', operationId: 'three' });
    await assert.rejects(again, hasCode('CONFLICT', /under way/));
    assert.equal(other.cancelDownload('three'), true);
    await assert.rejects(creating, hasCode('DOWNLOAD_FAILED', /cancelled/));
    assert.equal(other.cancelDownload('three'), false);
    assert.equal(other.cancelDownload('nothing'), false);
    await watching.return?.();
    const never = other.watchDownload('never');
    const waiting = never.next();
    await never.return?.();
    assert.equal((await waiting).done, true);
    await other.close();
    await own.remove();
  });

  test('are measured one after the other; the newest measurement on an adapter is kept', async () => {
    assert.deepEqual(await services.measurementsOfZoo(['squeezenet1_0', 'alexnet']), [[], []]);
    const visits = server.visits.length;
    const zooIds = ['squeezenet1_0', 'alexnet', 'mobilenet_v2_nsfw'];
    const outcomes = await services.measureZooNetworks({ zooIds, seconds: 0.1 });
    assert.deepEqual(
      outcomes.map(({ zooId, measurement }) => [zooId, measurement?.picturesPerSecond ?? null]),
      [
        ['squeezenet1_0', 100],
        ['alexnet', null],
        ['mobilenet_v2_nsfw', 100],
      ],
    );
    assert.match(outcomes[1]?.error ?? '', /out of memory/);
    const { measurement } = outcomes[0] as (typeof outcomes)[0];
    assert.ok(measurement);
    const { measuredAt, adapter, ...rest } = measurement;
    assert.match(adapter, /^fake in \d+$/);
    assert.ok(Math.abs(measuredAt - Date.now()) < 60_000);
    const { version: codeVersion } = installation;
    assert.deepEqual(rest, {
      zooId: 'squeezenet1_0',
      isSoftware: true,
      millisecondsPerPicture: 12.5,
      picturesPerSecond: 100,
      batchSize: 8,
      codeVersion,
    });
    const [again] = await services.measureZooNetworks({ zooIds: ['squeezenet1_0'] });
    assert.deepEqual(await services.measurementsOfZoo(['alexnet', 'squeezenet1_0']), [[], [again?.measurement]]);
    assert.equal(server.visits.length, visits, 'nothing is downloaded');
    await assert.rejects(services.measureZooNetworks({ zooIds: [] }), hasCode('BAD_USER_INPUT', /1 to 200/));
    const slow = services.measureZooNetworks({ zooIds: ['alexnet'], seconds: 1000 });
    await assert.rejects(slow, hasCode('BAD_USER_INPUT', /at most 60/));
    await assert.rejects(services.measureZooNetworks({ zooIds: ['nothing'] }), hasCode('NOT_FOUND'));
  });

  test('a mirror is asked first', async () => {
    const own = await temporaryFolder();
    const mirror = await fileServer(serve(file));
    const other = await fakeServices(testConfig(own.path, { zooMirror: `${mirror.url}/zoo/` }), installation);
    const before = server.visits.length;
    await other.createNetwork({ zooId: 'here' });
    assert.deepEqual(
      mirror.visits.map(({ path }) => path),
      ['/zoo/small.bin'],
    );
    assert.equal(server.visits.length, before);
    await other.close();
    await mirror.close();
    await own.remove();
  });
});

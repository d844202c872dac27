import '@tensorflow/tfjs-backend-cpu';
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import * as tfl from '@tensorflow/tfjs-layers';
import { pack } from 'tar-stream';
import { writeModel } from '../../src/models/formats/safetensors.js';
import { unpackFiles } from '../../src/downloads/npm.js';
import { DownloadError } from '../../src/downloads/errors.js';
import { type NetworkSource, ServiceError, type Services } from '../../src/services/api.js';
import { fileServer, sha256 } from '../downloads/fileServer.js';
import { temporaryFolder } from '../store/fixtures.js';
import { seeded, smallNetwork } from '../training/fixtures.js';
import { fakeServices, testConfig } from './fixtures.js';
import { zip } from './zip.js';

/** As timm publishes it. */
const config = Buffer.from(
  JSON.stringify({
    pretrained_cfg: {
      input_size: [3, 12, 12],
      mean: [0.5, 0.5, 0.5],
      std: [0.25, 0.25, 0.25],
      interpolation: 'bicubic',
      crop_pct: 1,
    },
  }),
);
const COMMIT = 'a'.repeat(40);
const gitBlob = (data: Uint8Array) => createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');

const hasCode =
  (code: string, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof ServiceError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

async function tarball(files: Record<string, Uint8Array | null>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) {
    if (content) tar.entry({ name: `package/${name}` }, Buffer.from(content));
    else tar.entry({ name: `package/${name}`, type: 'symlink', linkname: '/etc/passwd' });
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

describe('networks from elsewhere', () => {
  const CLASSES = ['red', 'green'];
  const model = writeModel(smallNetwork(CLASSES, seeded(3)));
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let server: Awaited<ReturnType<typeof fileServer>>;
  let services: Services;
  let packed: Buffer;
  /** What the hub lists; changed by tests. */
  let siblings: object[] = [];
  let integrity = '';
  const tfjs = new Map<string, Uint8Array>();

  const json = (response: ServerResponse, value: unknown) => response.end(JSON.stringify(value));
  before(async () => {
    folder = await temporaryFolder();
    packed = await tarball({
      'weights/small.safetensors': model,
      'weights/readme.md': Buffer.from('hello'),
      link: null,
    });
    integrity = `sha512-${createHash('sha512').update(packed).digest('base64')}`;
    siblings = [
      { rfilename: 'README.md', size: 5, blobId: gitBlob(Buffer.from('hello')) },
      { rfilename: 'model.safetensors', size: model.length, lfs: { sha256: sha256(model), size: model.length } },
      { rfilename: 'config.json', size: config.length, blobId: gitBlob(config) },
      { rfilename: 'extra/other.onnx', size: 3, blobId: '0'.repeat(40) },
    ];
    server = await fileServer((request, response) => {
      const url = request.url ?? '';
      if (url === '/api/models/me/small/revision/main?blobs=true') json(response, { sha: COMMIT, siblings });
      else if (url === '/api/models/me/private/revision/main?blobs=true') response.writeHead(401).end();
      else if (url === `/me/small/resolve/${COMMIT}/model.safetensors`) response.end(model);
      else if (url === `/me/small/resolve/${COMMIT}/extra/other.onnx`) response.end('abc');
      else if (url === `/me/small/resolve/${COMMIT}/config.json`) response.end(config);
      else if (url === '/@me%2fsmall/latest')
        json(response, { version: '1.2.3', dist: { tarball: `${server.url}/files/small-1.2.3.tgz`, integrity } });
      else if (url === '/files/small-1.2.3.tgz') response.end(packed);
      else if (url === '/direct/small.safetensors?token=1') response.end(model);
      else if (url === '/direct/small.zip') response.end(zip({ 'folder/small.safetensors': model }));
      else if (tfjs.has(url)) response.end(tfjs.get(url));
      else if (url === '/direct/page') response.end('<p>not a network</p>');
      else response.writeHead(404).end();
    });
    services = await fakeServices(
      testConfig(folder.path, { huggingFaceUrl: server.url, npmRegistry: `${server.url}/` }),
    );
  });
  after(async () => {
    await services.close();
    await server.close();
    await folder.remove();
  });

  const importFrom = async (source: NetworkSource) => {
    const { headRevisionId } = await services.importNetwork({ name: 'there', source });
    const [revision] = await services.revisionsById([headRevisionId]);
    assert.deepEqual(revision?.classes, CLASSES);
    return revision?.summary;
  };

  test('an address gives a file, or an archive of one', async () => {
    const url = `${server.url}/direct/small`;
    assert.equal(
      await importFrom({ url: `${url}.safetensors?token=1` }),
      `imported from safetensors: ${url}.safetensors?...`,
    );
    await importFrom({ url: `${url}.zip` });
    await importFrom({ url: `${url}.safetensors?token=1`, sha256: sha256(model).toUpperCase() });
    const visits = server.visits.length;
    await importFrom({ url: `${url}.safetensors?token=1`, sha256: sha256(model) });
    assert.equal(server.visits.length, visits, 'the cache has it');
    const other = services.importNetwork({ name: 'x', source: { url: `${url}.zip`, sha256: '0'.repeat(64) } });
    await assert.rejects(other, hasCode('DOWNLOAD_FAILED', /sha256 hash/));
    const short = services.importNetwork({ name: 'x', source: { url: `${url}.zip`, sha256: 'abc' } });
    await assert.rejects(short, hasCode('BAD_USER_INPUT', /64 hexadecimal/));
    const wrong = services.importNetwork({ name: 'x', source: { url: `${server.url}/direct/page` } });
    await assert.rejects(wrong, hasCode('UNSUPPORTED_FILE', /page is in no format that Graft knows/));
    const missing = services.importNetwork({ name: 'x', source: { url: `${server.url}/direct/nothing` } });
    await assert.rejects(missing, hasCode('DOWNLOAD_FAILED', /nothing does not exist/));
    assert.equal(
      (await readdir(join(folder.path, 'downloads'))).filter((name) => name.startsWith('url-')).length,
      1,
      'nothing is left of those whose hash was not given',
    );
  });

  test('an address of a TF.js model gives its shards too', async () => {
    const model = tfl.sequential({
      layers: [
        tfl.layers.conv2d({ filters: 2, kernelSize: 3, inputShape: [8, 8, 3] }),
        tfl.layers.globalAveragePooling2d({}),
        tfl.layers.dense({ units: 2 }),
      ],
    });
    await model.save({
      save: async ({ modelTopology, weightSpecs: weights, weightData }) => {
        const weightsManifest = [{ paths: ['group1-shard1of1.bin'], weights }];
        tfjs.set('/tfjs/model.json', Buffer.from(JSON.stringify({ modelTopology, weightsManifest })));
        tfjs.set('/tfjs/group1-shard1of1.bin', new Uint8Array(weightData as ArrayBuffer));
        return { modelArtifactsInfo: { dateSaved: new Date(), modelTopologyType: 'JSON' } };
      },
    });
    const source = { url: `${server.url}/tfjs/model.json` };
    const { headRevisionId } = await services.importNetwork({ name: 'tfjs', source, classes: CLASSES });
    const [receipt] = await services.receiptsOfRevisions([headRevisionId]);
    assert.deepEqual(
      receipt?.files.map(({ name }) => name),
      ['model.json', 'group1-shard1of1.bin'],
    );
  });

  test('an address inside this machine is refused unless the operator allows it', async () => {
    const own = await temporaryFolder();
    const strict = await fakeServices(testConfig(own.path));
    const before = server.visits.length;
    for (const url of [`${server.url}/direct/small.zip`, 'http://169.254.169.254/latest/meta-data', 'http://[::1]/']) {
      const importing = strict.importNetwork({ name: 'x', source: { url } });
      await assert.rejects(importing, hasCode('BAD_USER_INPUT', /GRAFT_PRIVATE_DOWNLOADS/));
    }
    await assert.rejects(
      strict.importNetwork({ name: 'x', source: { url: 'http://127.0.0.1/model.onnx?token=hidden' } }),
      (error: Error) => {
        assert.ok(error.message.startsWith('http://127.0.0.1/model.onnx?... cannot be downloaded. '), error.message);
        assert.doesNotMatch(error.message, /hidden|url-/);
        return true;
      },
    );
    await assert.rejects(
      strict.importNetwork({ name: 'x', source: { url: 'file:///etc/passwd' } }),
      hasCode('BAD_USER_INPUT', /http or https/),
    );
    assert.equal(server.visits.length, before);
    await strict.close();
    const free = await fakeServices(testConfig(own.path, { privateDownloads: 'on' }));
    await free.importNetwork({ name: 'x', source: { url: `${server.url}/direct/small.zip` } });
    await free.close();
    await own.remove();
  });

  test('the hub: the file that holds the model, at the commit that the branch stands for, with its hash checked', async () => {
    const huggingFace = { repository: 'me/small' };
    assert.equal(
      await importFrom({ huggingFace }),
      'imported from safetensors: me/small/model.safetensors of the Hugging Face hub',
    );
    const visits = server.visits.filter(({ path }) => path.includes('/resolve/')).length;
    await importFrom({ huggingFace: { ...huggingFace, file: 'model.safetensors' } });
    assert.equal(server.visits.filter(({ path }) => path.includes('/resolve/')).length, visits, 'the cache has it');
    const { headRevisionId } = await services.importNetwork({
      name: 'x',
      source: { huggingFace },
      preprocessing: { interpolation: 'bilinear' },
    });
    const [revision] = await services.revisionsById([headRevisionId]);
    assert.deepEqual(revision?.preprocessing.std, [0.25, 0.25, 0.25], "what the publisher's configuration says");
    assert.equal(revision?.preprocessing.interpolation, 'bilinear', 'what the client says comes first');
    const [receipt] = await services.receiptsOfRevisions([headRevisionId]);
    const origin = (field: string) => receipt?.preprocessingSources.find((source) => source.field === field)?.origin;
    assert.deepEqual([origin('std'), origin('interpolation')], ['file', 'request']);
    const importing = (change: object) =>
      services.importNetwork({ name: 'x', source: { huggingFace: { ...huggingFace, ...change } } });
    await assert.rejects(
      importing({ file: 'nope' }),
      hasCode('DOWNLOAD_FAILED', /no file "nope"\. It has README\.md, model/),
    );
    await assert.rejects(importing({ file: 'extra/other.onnx' }), hasCode('DOWNLOAD_FAILED', /git blob hash/));
    await assert.rejects(importing({ repository: 'me/private' }), hasCode('DOWNLOAD_FAILED', /GRAFT_HF_TOKEN/));
    await assert.rejects(importing({ repository: '../../x' }), hasCode('BAD_USER_INPUT', /owner\/name/));
    await assert.rejects(importing({ revision: '../x' }), hasCode('BAD_USER_INPUT', /branch, a tag/));
    await assert.rejects(importing({ repository: 'me/nothing' }), hasCode('DOWNLOAD_FAILED', /does not exist/));
  });

  test('the hub hears the token', async () => {
    const own = await temporaryFolder();
    const other = await fakeServices(testConfig(own.path, { huggingFaceUrl: server.url, huggingFaceToken: 'hf_x' }));
    const before = server.visits.length;
    await other.importNetwork({ name: 'x', source: { huggingFace: { repository: 'me/small' } } });
    const heard = server.visits.slice(before).map(({ headers }) => headers.authorization);
    assert.deepEqual(heard, ['Bearer hf_x', 'Bearer hf_x', 'Bearer hf_x']);
    await other.close();
    await own.remove();
  });

  test('an npm package: a file or a folder of it, after its integrity was checked', async () => {
    const npm = { package: '@me/small', path: 'weights/small.safetensors' };
    assert.equal(
      await importFrom({ npm }),
      'imported from safetensors: weights/small.safetensors of the npm package @me/small 1.2.3',
    );
    await importFrom({ npm: { ...npm, path: './weights/' } });
    const importing = (change: object) => services.importNetwork({ name: 'x', source: { npm: { ...npm, ...change } } });
    await assert.rejects(importing({ path: 'nothing' }), hasCode('DOWNLOAD_FAILED', /no file or folder "nothing"/));
    await assert.rejects(importing({ path: 'link' }), hasCode('DOWNLOAD_FAILED', /no file or folder "link"/));
    await assert.rejects(importing({ version: '9.9.9' }), hasCode('DOWNLOAD_FAILED', /does not exist/));
    await assert.rejects(importing({ package: 'a/b/c' }), hasCode('BAD_USER_INPUT', /name of an npm package/));
    await assert.rejects(importing({ version: '../x' }), hasCode('BAD_USER_INPUT', /version of a package/));
    const right = integrity;
    integrity = `sha512-${createHash('sha512').update('other').digest('base64')}`;
    const own = await temporaryFolder();
    const other = await fakeServices(testConfig(own.path, { npmRegistry: server.url }));
    await assert.rejects(
      other.importNetwork({ name: 'x', source: { npm } }),
      hasCode('DOWNLOAD_FAILED', /sha512 hash/),
    );
    integrity = 'md5-x';
    await assert.rejects(other.importNetwork({ name: 'x', source: { npm } }), hasCode('DOWNLOAD_FAILED', /no tarball/));
    integrity = right;
    await other.close();
    await own.remove();
  });

  test('exactly one source is given', async () => {
    const importing = (input: object) => services.importNetwork({ name: 'x', ...input });
    await assert.rejects(importing({}), hasCode('BAD_USER_INPUT', /uploadIds or a source/));
    await assert.rejects(importing({ source: {} }), hasCode('BAD_USER_INPUT', /exactly one/));
    const two = { url: 'http://example.org', npm: { package: 'a', path: 'b' } };
    await assert.rejects(importing({ source: two }), hasCode('BAD_USER_INPUT', /exactly one/));
    await assert.rejects(importing({ source: { url: 'x' }, uploadIds: ['a'] }), hasCode('BAD_USER_INPUT', /not both/));
  });

  test('a download of an import is watched by its name', async () => {
    const source = { huggingFace: { repository: 'me/small' } };
    await services.importNetwork({ name: 'x', source, operationId: 'import' });
    const { value } = await services.watchDownload('import').next();
    assert.equal(value?.state, 'SUCCEEDED');
    assert.equal(value?.receivedBytes, model.length);
  });
});

describe('tarballs', () => {
  const fails = (code: string, message: RegExp) => (error: unknown) => {
    assert.ok(error instanceof DownloadError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

  test('are unpacked in memory, within limits', async () => {
    const limits = { maxBytes: 1000, maxFiles: 3 };
    const files = {
      'a/1': Buffer.alloc(100, 1),
      'a/2': Buffer.alloc(100, 2),
      ab: Buffer.alloc(10),
      '../../up': Buffer.alloc(5),
    };
    const packed = await tarball(files);
    assert.deepEqual(Object.keys(await unpackFiles(packed, 'a', limits)), ['a/1', 'a/2']);
    assert.deepEqual(Object.keys(await unpackFiles(packed, 'a/2', limits)), ['a/2']);
    await assert.rejects(unpackFiles(packed, 'a', { ...limits, maxBytes: 150 }), fails('TOO_LARGE', /150 bytes at a/));
    await assert.rejects(unpackFiles(packed, '', limits), fails('TOO_LARGE', /more than 3 files/));
    await assert.rejects(unpackFiles(packed.subarray(0, 60), 'a', limits), fails('DAMAGED', /cannot be unpacked/));
    await assert.rejects(unpackFiles(Buffer.from('no tarball'), 'a', limits), fails('DAMAGED', /cannot be unpacked/));
  });
});

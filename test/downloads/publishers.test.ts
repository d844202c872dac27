import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { namedCompanions } from '../../src/downloads/companions.js';
import { DownloadError } from '../../src/downloads/errors.js';
import { chooseHubFile } from '../../src/downloads/huggingFace.js';

const bytes = (value: unknown) => Buffer.from(JSON.stringify(value));

describe('what lies beside a model', () => {
  test('is named by the JSON of TF.js and of sharded safetensors', () => {
    const groups = [{ paths: ['group1-shard1of2.bin', 'group1-shard2of2.bin'] }, { paths: ['sub/more.bin'] }, {}, null];
    assert.deepEqual(namedCompanions(bytes({ modelTopology: {}, weightsManifest: groups })), [
      'group1-shard1of2.bin',
      'group1-shard2of2.bin',
      'sub/more.bin',
    ]);
    const map = { a: 'model-00001-of-00002.safetensors', b: 'model-00001-of-00002.safetensors', c: 'two.safetensors' };
    assert.deepEqual(namedCompanions(bytes({ weight_map: map })), [
      'model-00001-of-00002.safetensors',
      'two.safetensors',
    ]);
  });

  test('is never outside the folder, and nothing for other files', () => {
    const paths = ['../up', '/etc/passwd', 'a/../../b', 'http://host/x', 'a\\b', 'a?b', '', '.', 5, 'fine'];
    assert.deepEqual(namedCompanions(bytes({ weightsManifest: [{ paths }] })), ['fine']);
    for (const other of [
      Buffer.from('{ not json'),
      Buffer.alloc(10),
      bytes([1]),
      bytes({ weight_map: null }),
      bytes({}),
    ]) {
      assert.deepEqual(namedCompanions(other), []);
    }
  });
});

describe('a repository of the hub', () => {
  const choose = (paths: string[], file?: string) =>
    chooseHubFile(
      { commit: '', files: paths.map((path) => ({ path, bytes: null, digest: null })) },
      { repository: 'me/it', revision: 'main' },
      file,
    ).path;

  test('gives the file that holds its model', () => {
    assert.equal(choose(['README.md', 'pytorch_model.bin', 'model.safetensors', 'config.json']), 'model.safetensors');
    assert.equal(choose(['a.onnx', 'onnx/model.onnx']), 'onnx/model.onnx');
    assert.equal(choose(['deep/model.json', 'deep/group1-shard1of1.bin']), 'deep/model.json');
    assert.equal(choose(['resnet20.th', 'resnet20.pth']), 'resnet20.pth');
    assert.equal(choose(['b.onnx', 'a.onnx'], 'a.onnx'), 'a.onnx');
  });

  test('or says what to choose from', () => {
    const fails = (message: RegExp) => (error: unknown) =>
      error instanceof DownloadError && message.test(error.message);
    assert.throws(() => choose(['a.onnx', 'b.onnx']), fails(/several models; name a file: a\.onnx, b\.onnx/));
    assert.throws(() => choose(['README.md']), fails(/no file whose name is that of a model.*README\.md/));
    assert.throws(() => choose([], 'x'), fails(/It has no files/));
  });
});

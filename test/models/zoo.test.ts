import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { buildArchitecture } from '../../src/models/architectures/registry.js';
import { findClassifier } from '../../src/models/classifier.js';
import { readModel, writeModel, writeSafetensors } from '../../src/models/formats/safetensors.js';
import { replaceHead } from '../../src/models/head.js';
import { initializeWeights } from '../../src/models/initialize.js';
import { summarize, summarizeNetwork } from '../../src/models/summary.js';
import { parseZoo, type ZooEntry, type ZooFile } from '../../src/models/zoo/manifest.js';
import { buildZooNetwork, type ReadZooFile, readZooNetwork } from '../../src/models/zoo.js';
import { throwsModelError } from './fixtures.js';

type Entry = Record<string, unknown>;
const json = () => JSON.parse(readFileSync('weights/zoo.json', 'utf8')) as { networks: Entry[]; labels: object };
const zoo = parseZoo(json());
const entryOf = (id: string) => zoo.find((entry) => entry.id === id) as ZooEntry;

const readPackage: ReadZooFile = async ({ sources: [source] }: ZooFile) => {
  assert.ok(source?.kind === 'npm');
  return readFile(`node_modules/${source.package}/${source.path}`);
};
const totals = (layers: ReturnType<typeof summarizeNetwork>) => ({
  parameters: layers.reduce((sum, layer) => sum + layer.parameters, 0),
  multiplyAdds: layers.reduce((sum, layer) => sum + layer.multiplyAdds, 0),
});

describe('the zoo', () => {
  test('says of each network what is true of the architecture', () => {
    for (const entry of zoo) {
      if (entry.weights?.cutAfter) continue;
      const options = { inputSize: entry.inputSize[1], auxiliaryHeads: false };
      const network = buildArchitecture(entry.architecture, options);
      const layers = summarizeNetwork(network);
      const { parameters, multiplyAdds } = entry;
      assert.deepEqual(totals(layers), { parameters, multiplyAdds }, entry.id);
      assert.deepEqual(layers[0]?.outputShape, entry.inputSize, entry.id);
      assert.deepEqual(layers.at(-1)?.outputShape, [entry.classes], entry.id);
    }
  });

  test('the network of an npm package is what its entry says, and takes a new head', async () => {
    const entry = entryOf('mobilenet_v2_nsfw');
    const model = await readZooNetwork(entry, readPackage);
    const { parameters, multiplyAdds } = entry;
    assert.deepEqual(totals(summarize(model.network, model.weights)), { parameters, multiplyAdds });
    assert.equal(model.network.architecture, entry.architecture);
    assert.deepEqual(model.network.preprocessing, entry.preprocessing);
    for (const keepLayersAfterPooling of [true, false]) {
      const grafted = replaceHead(model, { classes: ['a', 'b', 'c'], seed: 1, keepLayersAfterPooling });
      assert.deepEqual(readModel(writeModel(grafted)).network, grafted.network);
    }
    // It ends in features: nsfwjs's own classifier is gone.
    const { network, weights } = model;
    assert.equal(findClassifier(network), null);
    assert.ok(!network.layers.some((layer) => layer.kind === 'dense' || layer.kind === 'softmax'));
    assert.ok(![...weights.keys()].some((name) => name.startsWith('dense')));
    assert.ok(network.layers.every((layer) => layer.kind !== 'zeroPad'));
    assert.equal(network.classes, null);
    // 52 convolutions and as many batch norms of four tensors, as in the paper's network without its classifier.
    assert.equal(weights.size, 52 + 52 * 4);
    for (const file of entry.weights?.files ?? []) {
      const bytes = await readPackage(file);
      assert.equal(bytes.length, file.bytes);
      assert.equal(createHash('sha256').update(bytes).digest('hex'), file.sha256);
    }
  });

  test('published weights come with their labels and preprocessing', async () => {
    const entry = entryOf('squeezenet1_1');
    const tensors = initializeWeights(buildArchitecture('squeezenet1_1'), 5);
    const file = writeSafetensors({ metadata: new Map(), tensors });
    const { network, weights } = await readZooNetwork(entry, async () => file);
    assert.equal(network.architecture, 'squeezenet1_1');
    assert.equal(network.classes?.[281], 'tabby');
    assert.deepEqual(network.preprocessing, entry.preprocessing);
    assert.deepEqual(weights.get('features.0.weight'), tensors.get('features.0.weight'));
    const other = { ...entry, architecture: 'squeezenet1_0' };
    await assert.rejects(
      readZooNetwork(other, async () => file),
      /not the weights of squeezenet1_0/,
    );
    const whole = writeModel({ network, weights });
    await assert.rejects(
      readZooNetwork(other, async () => whole),
      /squeezenet1_1-b8a52dc0\.pth holds the network squeezenet1_1/,
    );
    const bare = { ...entry, weights: null };
    await assert.rejects(
      readZooNetwork(bare, async () => file),
      /No weights are published/,
    );
  });

  test('random weights follow the seed', () => {
    const entry = entryOf('squeezenet1_1');
    const [one, again, other] = [1, 1, 2].map((seed) => buildZooNetwork(entry, seed));
    assert.ok(one && again && other);
    assert.deepEqual(writeModel(one), writeModel(again));
    assert.notDeepEqual(one.weights.get('features.0.weight'), other.weights.get('features.0.weight'));
    assert.equal(one.network.classes, null, 'random outputs mean nothing');
    assert.deepEqual(one.network.preprocessing, entry.preprocessing);
  });

  const published = '../shared/zoo/torchvision.tsv';
  test('agrees with what torchvision publishes', {
    skip: existsSync(published) ? false : `${published} is not there`,
  }, () => {
    const [header = '', ...lines] = readFileSync(published, 'utf8').trimEnd().split('\n');
    const columns = header.split('\t');
    let compared = 0;
    for (const line of lines) {
      const values = line.split('\t');
      const fact = (name: string) => values[columns.indexOf(name)] ?? '';
      const entry = zoo.find(({ weights }) => weights?.files.some(({ name }) => fact('url').endsWith(`/${name}`)));
      if (!entry?.weights || entry.weights.cutAfter) continue;
      compared++;
      const [file] = entry.weights.files as [ZooFile];
      assert.equal(entry.architecture, fact('network'));
      assert.equal(entry.weights.name, fact('weights'));
      assert.deepEqual(file.sources, [{ kind: 'url', url: fact('url') }]);
      assert.ok(fact('url').endsWith(`-${file.sha256}.pth`));
      // Inception-v3's count is with the heads that take part in training only.
      const whole = totals(summarizeNetwork(buildArchitecture(entry.architecture)));
      assert.ok([entry.parameters, whole.parameters].includes(Number(fact('num_params'))), entry.id);
      assert.ok(Math.abs(entry.multiplyAdds / 1e9 - Number(fact('gflops'))) < 0.001, entry.id);
      assert.equal(entry.weights.top1, Number(fact('acc1')));
      assert.equal(entry.weights.top5, Number(fact('acc5')));
      assert.equal((file.bytes / 2 ** 20).toFixed(3), Number(fact('file_mb')).toFixed(3));
      const { preprocessing } = entry;
      assert.equal(preprocessing.cropFraction, Number(fact('crop')) / Number(fact('resize')));
      assert.equal(preprocessing.height, Number(fact('crop')));
      assert.equal(preprocessing.interpolation === 'cubic' ? 'bicubic' : 'bilinear', fact('interp'));
    }
    assert.ok(compared >= 8, `${compared}`);
  });

  test('a wrong manifest is refused, by entry and field', () => {
    const refuse = (change: (networks: Record<string, Entry>) => void, message: RegExp) => {
      const changed = json();
      change(Object.fromEntries(changed.networks.map((entry) => [entry.id as string, entry])));
      throwsModelError(() => parseZoo(changed), 'INVALID_FILE', message);
    };
    const set = (id: string, path: string, value: unknown) => (networks: Record<string, Entry>) => {
      const keys = path.split('.');
      const last = keys.pop() as string;
      const parent = keys.reduce<unknown>((object, key) => (object as Entry)[key], networks[id]) as Entry;
      if (value === undefined) delete parent[last];
      else parent[last] = value;
    };
    const id = 'resnet18';
    const cases: [string, unknown, RegExp][] = [
      ['name', undefined, /resnet18: name must be a text; got nothing/],
      ['id', '../up', /id must be/],
      ['id', 'squeezenet1_1', /squeezenet1_1: two entries/],
      ['parameters', '3', /resnet18: parameters must be a positive integer; got "3"/],
      ['inputSize', [3, 224], /inputSize must be three sizes/],
      ['architecture', 'vgg99', /no architecture vgg99; built in are/],
      ['labels', 'cifar', /there are no labels cifar/],
      ['classes', 10, /classes is 10, but imagenet1k has 1000/],
      ['colour', 'red', /resnet18: there is no field colour/],
      ['preprocessing.crop', 200, /resnet18: preprocessing: crop is 200 and inputSize 224 x 224/],
      ['preprocessing.resize', null, /both numbers or both null/],
      ['preprocessing.resize', 200, /larger than resize/],
      ['preprocessing.interpolation', 'nearest', /interpolation must be bilinear or bicubic/],
      ['preprocessing.std', [1, 1], /std must be a list of 3 numbers/],
      ['weights.format', 'pickle', /resnet18: weights: format must be nsfwjs or checkpoint/],
      ['weights.top1', 140, /top1 must be a percentage or null; got 140/],
      ['weights.license', null, /license must be a text/],
      ['weights.files', [], /files must be a list that is not empty/],
      ['weights.files.0.sha256', 'f37072', /file 0: sha256 must be 8 to 64/],
      ['weights.files.0.name', 'a/b.pth', /name must be a file's name/],
      ['weights.files.0.mebibytes', -1, /mebibytes must be a positive number/],
      ['weights.files.0.bytes', 1, /there is no field bytes/],
      ['weights.files.0.sources', [], /sources must be/],
      ['weights.files.0.sources.0.kind', 'ftp', /source 0: kind must be url, npm or file/],
      ['weights.files.0.sources.0.url', 'http://a/b', /url must be an https address/],
      ['weights.files.0.sources.0', { kind: 'file', path: '../secret' }, /path must be a path inside/],
      ['weights.files.0.sources.0', { kind: 'npm', package: '../x', path: 'a' }, /package must be/],
      ['weights.files.0.name', 'squeezenet1_1-b8a52dc0.pth', /different file squeezenet1_1-b8a52dc0\.pth/],
      ['weights', null, /without weights, a network has classes and no labels/],
    ];
    for (const [path, value, message] of cases) refuse(set(id, path, value), message);
    throwsModelError(
      () => parseZoo({ ...json(), labels: { a: ['x', 'x'] } }),
      'INVALID_FILE',
      /two labels are the same/,
    );
    throwsModelError(() => parseZoo({ labels: {} }), 'INVALID_FILE', /networks must be a list/);
    throwsModelError(() => parseZoo({ networks: [] }), 'INVALID_FILE');
    throwsModelError(() => parseZoo(null), 'INVALID_FILE');
  });
});

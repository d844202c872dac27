import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { type StateDict, readPytorch } from '../../src/models/formats/pytorch.js';
import { writePytorch } from '../../src/models/formats/pytorch/write.js';
import { openZip } from '../../src/models/formats/zip/archive.js';
import { Random } from '../../src/models/random.js';
import { freshSeed, throwsModelError, tinyNetwork } from './fixtures.js';
import {
  call,
  dict,
  global,
  int,
  pickle,
  storage,
  type TestTensor,
  tensor,
  text,
  torchZip,
  tuple,
  u32,
} from './pickles.js';
import { type TorchFileName, torchFile } from './torchFiles.js';

const values = ({ tensors }: StateDict): Record<string, number[]> =>
  Object.fromEntries([...tensors].map(([name, { data }]) => [name, [...data]]));
const shapes = ({ tensors }: StateDict): Record<string, readonly number[]> =>
  Object.fromEntries([...tensors].map(([name, { shape }]) => [name, shape]));

describe('PyTorch: files that PyTorch wrote', () => {
  test('views of one storage: strides, offsets, expanded, parameters, scalars, empty', () => {
    const state = readPytorch(torchFile('views'));
    const base = Array.from({ length: 24 }, (_, index) => index);
    assert.deepEqual(values(state), {
      base,
      turned: base.map((index) => (index % 4) * 6 + Math.floor(index / 4)),
      row: [6, 7, 8, 9, 10, 11],
      strided: [6, 8, 10, 12, 14, 16],
      repeated: [7, 7, 7, 7, 7, 7],
      parameter: base,
      scalar: [3],
      empty: [],
    });
    assert.deepEqual(
      [shapes(state).turned, shapes(state).strided, shapes(state).scalar, shapes(state).empty],
      [[6, 4], [2, 3], [], [0, 4]],
    );
  });

  test('every type becomes float32, and it is said where that rounds', () => {
    const state = readPytorch(torchFile('types'));
    const { float8_e8m0fnu, tenth, large, special, ...rest } = values(state);
    for (const [name, numbers] of Object.entries(rest)) {
      const expected = name.startsWith('int')
        ? [-3, 0, 100]
        : name === 'bool'
          ? [0, 1, 1]
          : name.startsWith('uint')
            ? [0, 1, 200]
            : [0.5, -1.75, 3];
      assert.deepEqual(numbers, expected, name);
    }
    assert.equal(Object.keys(rest).length, 17);
    assert.deepEqual(float8_e8m0fnu, [1, 2, 0.5]);
    assert.deepEqual(tenth, [Math.fround(0.1), 0.5]);
    assert.deepEqual(large, [2 ** 24, -(2 ** 53)]);
    assert.deepEqual(special, [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, -0, 2 ** -24]);
    const rounded = [...state.tensors].filter(([, { exact }]) => !exact).map(([name]) => name);
    assert.deepEqual(rounded, ['tenth', 'large']);
    assert.deepEqual([state.tensors.get('tenth')?.dtype, state.tensors.get('special')?.dtype], ['f64', 'f16']);
  });

  const weights = {
    'conv.weight': [1.5, -2.5],
    'conv.bias': [0.25, 4],
    'bn.weight': [1, 1],
    'bn.num_batches_tracked': [1],
  };
  const prefixes = { legacyCheckpoint: 'module.', checkpoint: '_orig_mod.module.' } as const;
  for (const name of ['legacyCheckpoint', 'checkpoint'] as const) {
    test(`${name}: the state dict inside, without the wrapper's prefix, and what else there is`, () => {
      const state = readPytorch(torchFile(name));
      assert.deepEqual([state.path, state.prefix], ['state_dict', prefixes[name]]);
      assert.deepEqual({ ...values(state), ...weights }, values(state));
      assert.deepEqual(shapes(state)['conv.weight'], [2, 1, 1, 1]);
      assert.deepEqual(Object.fromEntries(state.ignored.map((item) => [item.name, item.value])), {
        epoch: '90',
        best_acc1: 'torch.Tensor',
        top5: '93.25',
        rate: '0.5',
        step: '-7',
        args: 'argparse.Namespace',
        history: 'numpy.ndarray',
        device: 'torch.device',
        size: 'tuple of 2',
        names: 'set of 2',
        big: String(2n ** 70n),
        none: 'None',
        optimizer: 'dict of 2',
      });
    });
  }

  test('protocol 4', () => {
    const state = readPytorch(torchFile('protocol4'));
    assert.deepEqual({ ...values(state), ...weights }, values(state));
    assert.deepEqual([state.path, state.prefix, state.ignored], ['', '', []]);
  });

  const refused: [TorchFileName, RegExp][] = [
    ['wholeModule', /whole pickled module \(it names "torch\.nn\.modules\.linear\.Linear"\).*model\.state_dict\(\)/],
    ['script', /TorchScript archive.*torch\.jit\.load\(file\)\.state_dict\(\)/],
    ['ownClass', /names "commands\.Popen", and .* is never run/],
    ['complex', /1 tensor\(s\) have no float32 values: w \(its type is complex64\)/],
  ];
  for (const [name, message] of refused) {
    test(`${name}: refused, with advice`, () =>
      throwsModelError(() => readPytorch(torchFile(name)), 'UNSUPPORTED', message));
  }

  const resnet20 = '../shared/weights/resnet20_cifar10/resnet20-12fca82f.th';
  const skip = existsSync(resnet20) ? false : `${resnet20} is not there`;
  test('a published checkpoint of 2019: ResNet-20', { skip }, () => {
    const state = readPytorch(new Uint8Array(readFileSync(resnet20)));
    assert.deepEqual([state.path, state.prefix], ['state_dict', 'module.']);
    assert.equal(state.tensors.size, 97);
    assert.deepEqual(state.tensors.get('linear.weight')?.shape, [10, 64]);
    assert.deepEqual(
      state.ignored.map(({ name }) => name),
      ['best_prec1'],
    );
    const parameters = [...state.tensors].filter(([name]) => !/running|tracked/.test(name));
    // He et al. 2016, table 6: 0.27 M.
    assert.equal(
      parameters.reduce((sum, [, { data }]) => sum + data.length, 0),
      269_722,
    );
  });
});

const OK: TestTensor = { shape: [2, 2], stride: [2, 1] };
const file = (root: string): Uint8Array => torchZip(pickle(root));

describe('PyTorch: where the weights lie', () => {
  const state = dict({ 'a.w': tensor(OK) });
  const cases: [string, string, string, string][] = [
    ['the whole', state, '', ''],
    ['model', dict({ model: state, model_ema: state }), 'model', ''],
    ['two levels', dict({ checkpoint: '\x88', net: dict({ state_dict: state }) }), 'net.state_dict', ''],
    ['an unusual key', dict({ mine: state, epoch: int(3) }), 'mine', ''],
    ['a tensor beside it', dict({ best: tensor(OK), state_dict: state }), 'state_dict', ''],
    ['prefixes', dict({ 'module.model.a.w': tensor(OK), 'module.model.b': tensor(OK) }), '', 'module.model.'],
    ['a prefix of some names only', dict({ 'module.a.w': tensor(OK), b: tensor(OK) }), '', ''],
  ];
  for (const [what, root, path, prefix] of cases) {
    test(what, () => {
      const found = readPytorch(file(root));
      assert.deepEqual([found.path, found.prefix], [path, prefix]);
      const name = what.startsWith('a prefix') ? 'module.a.w' : 'a.w';
      assert.deepEqual([...(found.tensors.get(name)?.data ?? [])], [1, 2, 3, 4]);
    });
  }

  test('settings in the dicts of frameworks are left out as other dicts are', () => {
    // A subclass of dict is made by NEWOBJ; its items and its attributes follow.
    const settings = (module: string, name: string) => `${global(module, name)})\x81(${text('lr')}${int(1)}u}b`;
    const root = dict({
      state_dict: state,
      hyper_parameters: settings('pytorch_lightning.utilities.parsing', 'AttributeDict'),
      cfg: settings('yacs.config', 'CfgNode'),
    });
    assert.deepEqual(readPytorch(file(root)).ignored, [
      { name: 'hyper_parameters', value: 'pytorch_lightning.utilities.parsing.AttributeDict of 1' },
      { name: 'cfg', value: 'yacs.config.CfgNode of 1' },
    ]);
  });

  test('several, or none, are refused with their names', () => {
    throwsModelError(
      () => readPytorch(file(dict({ g: state, d: state }))),
      'UNSUPPORTED',
      /several state dicts \("g", "d"\)/,
    );
    throwsModelError(
      () => readPytorch(file(dict({ epoch: int(1) }))),
      'UNSUPPORTED',
      /no state dict \(its keys: "epoch"\)/,
    );
    throwsModelError(() => readPytorch(file(tensor(OK))), 'UNSUPPORTED', /holds a torch\.Tensor, not a state dict/);
    throwsModelError(() => readPytorch(file(']')), 'UNSUPPORTED', /holds list of 0/);
  });

  test('pickles of Python 2: byte strings, and ordered dicts made of lists of pairs', () => {
    const bytes = (value: string) => `U${String.fromCharCode(value.length)}${value}`;
    const list = (...items: string[]) => `](${items.join('')}e`;
    const pair = list(bytes('a.w'), tensor({ ...OK, storage: 'FloatStorage' }).replace('ctorch\n', 'ctorch.cuda\n'));
    const root = call(global('collections', 'OrderedDict'), list(pair, list(bytes('caf\xe9'), int(3))));
    const found = readPytorch(file(`}(${bytes('state_dict')}${root}u`));
    assert.deepEqual(
      [values(found), found.ignored],
      [{ 'a.w': [1, 2, 3, 4] }, [{ name: 'state_dict.café', value: '3' }]],
    );
  });

  test('big-endian storages, and storages without a type', () => {
    const bytes = new DataView(new ArrayBuffer(16));
    for (let index = 0; index < 4; index++) bytes.setFloat32(4 * index, index + 0.5);
    const data = { 0: new Uint8Array(bytes.buffer) };
    const big = torchZip(pickle(dict({ w: tensor(OK) })), data, { byteorder: 'big' });
    assert.deepEqual(values(readPytorch(big)), { w: [0.5, 1.5, 2.5, 3.5] });
    const untyped = storage({ storage: 'UntypedStorage', elements: 16 }).replace('ctorch\n', 'ctorch.storage\n');
    const parts = [untyped, int(2), tuple(int(1)), tuple(int(1)), '\x89', '}', global('torch', 'float32'), '}'];
    const v3 = call(global('torch._utils', '_rebuild_tensor_v3'), ...parts);
    assert.deepEqual(values(readPytorch(torchZip(pickle(dict({ w: v3 }))))), { w: [3] });
  });
});

describe('PyTorch: hostile files', () => {
  const huge = 2 ** 31 - 1;
  const ones = Array.from({ length: 1000 }, () => 1);
  const oneTensor = (change: Partial<TestTensor>): Uint8Array => file(dict({ w: tensor({ ...OK, ...change }) }));
  const bad: [string, Uint8Array, RegExp, 'INVALID_FILE' | 'UNSUPPORTED'][] = [
    ['a call of os.system', file(call(global('os', 'system'), text('true'))), /names "os\.system"/, 'UNSUPPORTED'],
    ['eval', file(call(global('builtins', 'eval'), text('1'))), /names "builtins\.eval"/, 'UNSUPPORTED'],
    ['getattr', file(call(global('__builtin__', 'getattr'), 'N', 'N')), /__builtin__\.getattr/, 'UNSUPPORTED'],
    ['a name that objects inherit', file(global('constructor', 'toString')), /constructor\.toString/, 'UNSUPPORTED'],
    ['a call of what is no function', file(call(text('x'))), /no function/, 'INVALID_FILE'],
    ['an opcode of protocol 0', file('I1\n'), /opcode 0x49/, 'INVALID_FILE'],
    ['protocol 9', torchZip(pickle('N', 9)), /protocol 9/, 'INVALID_FILE'],
    ['an empty stack', file('R'), /more values from its stack/, 'INVALID_FILE'],
    ['a mark used as a value', file('(R'), /more values from its stack/, 'INVALID_FILE'],
    ['a list that never began', file('t'), /no beginning/, 'INVALID_FILE'],
    ['values left over', file('NN'), /left over/, 'INVALID_FILE'],
    ['a memo that is empty', file('h\x05'), /value 5/, 'INVALID_FILE'],
    ['a text of 4 GB', file(`X${u32(2 ** 32 - 1)}`), /ends early/, 'INVALID_FILE'],
    ['a text of 2^60 bytes', file(`\x8d${u32(0)}${u32(2 ** 28)}`), /claims a value/, 'INVALID_FILE'],
    [
      'an int of 100,000 bytes',
      file(`\x8b${u32(100_000)}${'\x01'.repeat(100_000)}`),
      /100000 bytes; 64/,
      'INVALID_FILE',
    ],
    ['a text that is not UTF-8', file(`X${u32(1)}\xff`), /not UTF-8/, 'INVALID_FILE'],
    ['a name without an end', file(`c${'a'.repeat(600)}`), /no end/, 'INVALID_FILE'],
    ['a million dicts', file(dict({ a: '}0'.repeat(600_000) })), /524288 tuples/, 'INVALID_FILE'],
    ['a pickle that goes on', torchZip(Uint8Array.of(...pickle('N'), 0)), /behind its end/, 'INVALID_FILE'],
    ['a storage that is missing', oneTensor({ key: '1' }), /no file archive\/data\/1/, 'INVALID_FILE'],
    ['a storage outside', oneTensor({ key: '../version' }), /no file archive/, 'INVALID_FILE'],
    [
      'a storage shorter than said',
      oneTensor({ elements: 5 }),
      /should have 20 bytes; the file has 16/,
      'INVALID_FILE',
    ],
    [
      'a tensor longer than its storage',
      oneTensor({ shape: [3, 2] }),
      /number 6 of a storage that has 4/,
      'INVALID_FILE',
    ],
    ['an offset outside', oneTensor({ offset: 1 }), /number 5 of a storage that has 4/, 'INVALID_FILE'],
    ['a negative offset', oneTensor({ offset: -1 }), /offset/, 'INVALID_FILE'],
    ['a negative stride', oneTensor({ stride: [-2, 1] }), /stride/, 'INVALID_FILE'],
    ['a terabyte', oneTensor({ shape: [huge, huge] }), /not possible/, 'INVALID_FILE'],
    [
      'a tensor of 8 GB from four numbers',
      oneTensor({ shape: [huge], stride: [0] }),
      /many times the memory/,
      'INVALID_FILE',
    ],
    ['sizes and strides of different lengths', oneTensor({ shape: [4] }), /1 sizes but 2 strides/, 'INVALID_FILE'],
    ['a thousand dimensions', oneTensor({ shape: ones, stride: ones }), /1000 dimensions/, 'INVALID_FILE'],
    ['a state of a tensor', file(`${tensor(OK)}}b`), /state of its own/, 'INVALID_FILE'],
    [
      'an unknown byte order',
      torchZip(pickle(dict({ w: tensor(OK) })), {}, { byteorder: 'x' }),
      /byte order/,
      'INVALID_FILE',
    ],
    ['no pickle', torchZip(pickle('N')).slice(0, 40), /no end record/, 'INVALID_FILE'],
    ['a pickle of something else', pickle(dict({})), /torch\.save did not write/, 'UNSUPPORTED'],
  ];
  for (const [what, bytes, message, code] of bad) {
    test(`${what}: refused`, () => throwsModelError(() => readPytorch(bytes), code, message));
  }

  test('dicts that hold themselves, under every usual key, end the search', () => {
    const keys = ['state_dict', 'model_state_dict', 'model', 'module', 'net', 'network', 'weights', 'params', 'ema'];
    const cyclic = `}q\x00(${keys.map((key) => `${text(key)}h\x00`).join('')}u`;
    throwsModelError(() => readPytorch(file(cyclic)), 'UNSUPPORTED', /no state dict/);
    throwsModelError(
      () => readPytorch(file(`}q\x00(h\x00h\x00u`)),
      'UNSUPPORTED',
      /no state dict \(its keys: dict of 1\)/,
    );
  });

  test('a hundred thousand tuples inside each other are read', () => {
    const deep = dict({ w: tensor(OK), deep: `)${'\x85'.repeat(100_000)}` });
    assert.deepEqual(readPytorch(file(deep)).ignored, [{ name: 'deep', value: 'tuple of 1' }]);
  });

  test('a legacy file that ends early or goes on', () => {
    const bytes = torchFile('legacyCheckpoint');
    throwsModelError(() => readPytorch(bytes.slice(0, -1)), 'INVALID_FILE', /cut short/);
    throwsModelError(() => readPytorch(Uint8Array.of(...bytes, 0)), 'INVALID_FILE', /1 bytes follow/);
    throwsModelError(() => readPytorch(bytes.slice(0, 400)), 'INVALID_FILE', /ends early/);
  });
});

describe('PyTorch: writing', () => {
  test('a state dict comes back, in order; the same weights make the same bytes', (t) => {
    const model = tinyNetwork(new Random(freshSeed(t)));
    const bytes = writePytorch(model);
    const { tensors, ignored } = readPytorch(bytes);
    assert.deepEqual([...tensors.keys()], [...model.weights.keys()]);
    for (const [name, { shape, data }] of model.weights) {
      const back = tensors.get(name);
      assert.deepEqual({ shape: back?.shape, data: back?.data, dtype: back?.dtype }, { shape, data, dtype: 'f32' });
    }
    assert.deepEqual(ignored, []);
    assert.deepEqual(writePytorch(model), bytes);
  });

  test('the archive and its pickle, byte for byte', () => {
    const { network } = tinyNetwork(new Random(1));
    const weights = new Map([
      ['fc.weight', { shape: [2, 300], data: new Float32Array(600).fill(0.5) }],
      ['s', { shape: [], data: Float32Array.of(-1) }],
    ]);
    const zip = openZip(writePytorch({ network: { ...network, architecture: 'mnasnet1_0' }, weights }));
    const content = (name: string) => Buffer.from(zip.read(`archive/${name}`)).toString('latin1');
    assert.deepEqual(
      zip.entries.map(({ name, method, dataOffset }) => [name, method, dataOffset % 64]),
      ['data.pkl', '.format_version', '.storage_alignment', 'byteorder', 'data/0', 'data/1', 'version'].map((name) => [
        `archive/${name}`,
        'stored',
        0,
      ]),
    );
    assert.deepEqual(['byteorder', 'version', '.storage_alignment'].map(content), ['little', '3\n', '64']);
    assert.equal(content('data/1'), '\x00\x00\x80\xbf');
    assert.deepEqual(new Float32Array(zip.read('archive/data/0').slice().buffer), new Float32Array(600).fill(0.5));
    // OrderedDict(); for each tensor its name and _rebuild_tensor_v2(storage, 0, size, stride, False, OrderedDict()); versions.
    const state = `}(${text('_metadata')}h\x00)R(${text('')}}(${text('version')}K\x02uuub`;
    const first = `ctorch._utils\n_rebuild_tensor_v2\nq\x01((${text('storage')}q\x02ctorch\nFloatStorage\nq\x03${text('0')}${text('cpu')}q\x04M\x58\x02tQK\x00(K\x02M\x2c\x01t(M\x2c\x01K\x01t\x89h\x00)RtR`;
    const second = `h\x01((h\x02h\x03${text('1')}h\x04K\x01tQK\x00(t(t\x89h\x00)RtR`;
    const expected = `\x80\x02ccollections\nOrderedDict\nq\x00)R(${text('fc.weight')}${first}${text('s')}${second}u${state}.`;
    assert.equal(content('data.pkl'), expected);
  });
});

import type { PickleHost } from '../pickle/unpickle.js';
import { describe } from '../pickle/unpickle.js';
import { PyDict, PyGlobal, PyList, PyObject, PySet, PyTuple, type PickleValue } from '../pickle/values.js';
import { fail, refuse, SAVE_STATE_DICT } from './errors.js';
import { allowed, isBuiltin, isDictionary, isDtype, isNumpy, isOpaque, isStorage } from './names.js';
import { NumpyDtype, numpyScalar } from './numpy.js';
import { DTYPES, STORAGES, TorchStorage, TorchTensor, type TorchType } from './values.js';

const isCount = (value: unknown): value is number =>
  typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;

const MAX_RANK = 16;
/** Longer byte strings stay unread: only numbers of numpy are of interest. */
const MAX_ENCODED = 64;

/** Sizes or strides; torch.Size is a tuple too. */
function sizes(value: PickleValue | undefined, what: string): number[] {
  if (!(value instanceof PyTuple)) fail(`the ${what} of a tensor is no tuple.`);
  if (value.items.length > MAX_RANK) fail(`a tensor has ${value.items.length} dimensions; ${MAX_RANK} are allowed.`);
  return value.items.map((size) => (isCount(size) ? size : fail(`the ${what} of a tensor has ${describe(size)}.`)));
}

type Call = (args: readonly PickleValue[]) => PickleValue;

/** `_rebuild_tensor(storage, offset, size, stride)`; later versions add what inference does not need. */
function rebuildTensor(args: readonly PickleValue[], dtype?: TorchType): TorchTensor {
  const [storage, offset, size, stride] = args;
  if (!(storage instanceof TorchStorage)) fail('a tensor has no storage.');
  if (!isCount(offset)) fail('the offset of a tensor is no integer.');
  const type = dtype ?? storage.dtype;
  if (type === 'untyped') fail('a tensor on an untyped storage does not say its type.');
  return new TorchTensor(storage, type, offset, sizes(size, 'size'), sizes(stride, 'stride'));
}

/** `_rebuild_tensor_v3(storage, offset, size, stride, requires_grad, hooks, dtype, ...)`, for types without a storage class. */
function rebuildTensorV3(args: readonly PickleValue[]): TorchTensor {
  const dtype = args[6];
  if (!(dtype instanceof PyGlobal) || !isDtype(dtype)) fail('the type of a tensor is unknown.');
  return rebuildTensor(args, DTYPES[dtype.name]);
}

const tensorArgument: Call = ([data]) => (data instanceof TorchTensor ? data : fail('a parameter has no tensor.'));

/** `_rebuild_from_type_v2(function, type, arguments, state)`: a tensor with attributes of its own, which are dropped. */
function rebuildFromType([callable, type, args]: readonly PickleValue[]): PickleValue {
  if (!(type instanceof PyGlobal) || !['Tensor', 'Parameter', 'Buffer'].includes(type.name)) {
    fail('a tensor has an unknown class.');
  }
  const isTensor = callable instanceof PyGlobal && callable.path.startsWith('torch._utils._rebuild_');
  if (!isTensor || !(args instanceof PyTuple)) fail('a tensor is made in an unknown way.');
  return call(callable, args.items);
}

const TORCH: Readonly<Record<string, Call>> = {
  'torch._utils._rebuild_tensor': (args) => rebuildTensor(args),
  'torch._utils._rebuild_tensor_v2': (args) => rebuildTensor(args),
  'torch._utils._rebuild_tensor_v3': rebuildTensorV3,
  'torch._utils._rebuild_parameter': tensorArgument,
  'torch._utils._rebuild_parameter_with_state': tensorArgument,
  'torch._utils._rebuild_qtensor': () => refuse(`the file holds quantised tensors. Save the float model's weights.`),
  'torch._utils._rebuild_sparse_tensor': () => refuse('the file holds sparse tensors. Save them dense (to_dense).'),
  'torch._tensor._rebuild_from_type_v2': rebuildFromType,
  'torch.nn.parameter.Parameter': tensorArgument,
  'torch.nn.parameter.Buffer': tensorArgument,
  'torch.Size': ([items]) => (items instanceof PyTuple ? items : fail('a torch.Size is no tuple.')),
  'torch.device': () => new PyObject('torch.device'),
  'torch.serialization._get_layout': () => new PyObject('torch.layout'),
};

/**
 * An OrderedDict and its like: from nothing, from a dict (a Counter) or, as Python 2 wrote it, from a list of pairs. What it is made
 * of is taken over, not copied: a file that makes thousands from one long list takes no longer for it.
 */
function makeDict(type: string, args: readonly PickleValue[]): PyDict {
  // A defaultdict's argument is what makes its missing values.
  const [source] = type === 'collections.defaultdict' ? [] : args;
  if (source instanceof PyDict) return new PyDict(type, source.entries);
  const dict = new PyDict(type);
  if (source instanceof PyList) {
    for (const pair of source.items.splice(0)) {
      const items = pair instanceof PyTuple || pair instanceof PyList ? pair.items : [];
      if (items.length !== 2) fail(`a ${type} is made from what are no pairs.`);
      dict.entries.set(items[0] as PickleValue, items[1] as PickleValue);
    }
  } else if (source !== undefined) fail(`a ${type} is made from ${describe(source)}.`);
  return dict;
}

/** `_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes. */
function encode([text, encoding]: readonly PickleValue[]): PickleValue {
  if (typeof text !== 'string' || encoding !== 'latin1') fail('bytes are encoded in an unknown way.');
  if (text.length > MAX_ENCODED) return new PyObject('bytes');
  return Uint8Array.from(text, (character) => character.charCodeAt(0));
}

function callBuiltin(callable: PyGlobal, args: readonly PickleValue[]): PickleValue {
  const [source] = args;
  if (isBuiltin(callable, 'dict')) return makeDict('dict', args);
  if (isBuiltin(callable, 'set') || isBuiltin(callable, 'frozenset')) {
    return new PySet(source instanceof PyList ? source.items : []);
  }
  if (isBuiltin(callable, 'bytes') || isBuiltin(callable, 'bytearray')) {
    return source instanceof Uint8Array ? source : new Uint8Array();
  }
  fail(`it calls ${callable.path}, which makes nothing that can be read.`);
}

/** What a call would give, by name. `callable` has passed the allow-list. */
function call(callable: PickleValue, args: readonly PickleValue[]): PickleValue {
  if (!(callable instanceof PyGlobal)) fail(`it calls ${describe(callable)}, which is no function.`);
  const { path } = callable;
  if (Object.hasOwn(TORCH, path)) return (TORCH[path] as Call)(args);
  if (isDictionary(callable)) return makeDict(path, args);
  if (path === '_codecs.encode') return encode(args);
  if (isNumpy(callable, 'dtype')) return new NumpyDtype(typeof args[0] === 'string' ? args[0] : '');
  if (isNumpy(callable, 'scalar')) return numpyScalar(args[0] as PickleValue, args[1] as PickleValue);
  if (isNumpy(callable, '_reconstruct') || isNumpy(callable, '_frombuffer')) return new PyObject('numpy.ndarray');
  if (isOpaque(callable)) return new PyObject(path);
  return callBuiltin(callable, args);
}

function build(object: PickleValue, state: PickleValue): void {
  if (object instanceof PyDict && state instanceof PyDict) object.attributes = state;
  else if (object instanceof TorchTensor || object instanceof TorchStorage) fail('a tensor has a state of its own.');
  else if (object instanceof PyObject) object.state = state;
  else fail(`it gives ${describe(object)} a state.`);
}

/** `('storage', class, key, device, elements)`, and in the legacy format a view of it behind that. */
function storage(id: PickleValue): TorchStorage {
  const parts = id instanceof PyTuple ? id.items : [];
  if (parts[0] === 'module') refuse(`the file is a whole pickled module with its source code. ${SAVE_STATE_DICT}`);
  const [kind, type, key, , elements, view] = parts;
  if (kind !== 'storage' || !(type instanceof PyGlobal) || !isStorage(type) || typeof key !== 'string') {
    fail('it refers to something outside that is no storage.');
  }
  if (!isCount(elements)) fail(`storage ${key.slice(0, 80)} has no size.`);
  if (view !== null && view !== undefined) {
    refuse(`the file holds views of storages, as PyTorch 0.1 wrote them. Load and save it with a newer PyTorch.`);
  }
  return new TorchStorage(key, STORAGES[type.name] as TorchType, elements);
}

/** The allow-list of PyTorch checkpoints: tensors, containers, numbers, and settings as names alone. */
export const torchHost: PickleHost = { global: allowed, call, build, persistent: storage };

/** For the parts of a file that hold plain data alone: no tensors, no names. */
export const plainHost: PickleHost = {
  global: ({ path }) => fail(`the header names ${JSON.stringify(path.slice(0, 200))}.`),
  call: () => fail('the header calls something.'),
  build: () => fail('the header has objects.'),
  persistent: () => fail('the header has storages.'),
};

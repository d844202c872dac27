import { PyGlobal } from '../pickle/values.js';
import { refuse, SAVE_STATE_DICT } from './errors.js';
import { DTYPES, STORAGES } from './values.js';

/** `__builtin__` is Python 2's name of `builtins`; protocol 2 writes it to this day. */
const BUILTINS = ['builtins', '__builtin__'];
/** Modules that hold storage classes. */
const STORAGE_MODULES = ['torch', 'torch.storage', 'torch.cuda'];
const NUMPY_ARRAYS = ['numpy.core.multiarray', 'numpy._core.multiarray', 'numpy.core.numeric', 'numpy._core.numeric'];

const NAMES: Readonly<Record<string, readonly string[]>> = {
  collections: ['OrderedDict', 'defaultdict', 'Counter'],
  _codecs: ['encode'],
  'torch._utils': [
    '_rebuild_tensor',
    '_rebuild_tensor_v2',
    '_rebuild_tensor_v3',
    '_rebuild_parameter',
    '_rebuild_parameter_with_state',
    '_rebuild_qtensor',
    '_rebuild_sparse_tensor',
  ],
  'torch._tensor': ['_rebuild_from_type_v2'],
  'torch.nn.parameter': ['Parameter', 'Buffer'],
  torch: ['Size', 'device', 'Tensor', 'per_tensor_affine', 'per_channel_affine', 'sparse_coo', 'sparse_csr'],
  'torch.serialization': ['_get_layout'],
  numpy: ['dtype', 'ndarray'],
};

/** Classes whose objects are kept as their name alone: settings and counters that training scripts put beside the weights. */
const OPAQUE: Readonly<Record<string, readonly string[]>> = {
  argparse: ['Namespace'],
  types: ['SimpleNamespace'],
  pathlib: ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path'],
  'pathlib._local': ['PosixPath', 'WindowsPath', 'PurePosixPath', 'PureWindowsPath', 'Path'],
  datetime: ['datetime', 'date', 'time', 'timedelta', 'timezone'],
  uuid: ['UUID'],
  decimal: ['Decimal'],
  fractions: ['Fraction'],
};

/** Dicts with attributes, in which frameworks keep their settings: read as dicts. */
const DICTS: Readonly<Record<string, readonly string[]>> = {
  easydict: ['EasyDict'],
  'yacs.config': ['CfgNode'],
  'pytorch_lightning.utilities.parsing': ['AttributeDict'],
  'lightning_fabric.utilities.data': ['AttributeDict'],
  'lightning.fabric.utilities.data': ['AttributeDict'],
};

const BUILTIN_NAMES = [
  'dict',
  'list',
  'set',
  'frozenset',
  'tuple',
  'int',
  'float',
  'bool',
  'str',
  'bytes',
  'bytearray',
  'complex',
  'object',
  'range',
  'slice',
];

const includes = (table: Readonly<Record<string, readonly string[]>>, { module, name }: PyGlobal): boolean =>
  Object.hasOwn(table, module) && (table[module] as readonly string[]).includes(name);

/** Classes that are read as dicts. */
export const isDictionary = (global: PyGlobal): boolean => global.module === 'collections' || includes(DICTS, global);

/** Classes of which an object is kept unread. */
export const isOpaque = (global: PyGlobal): boolean =>
  includes(OPAQUE, global) || (BUILTINS.includes(global.module) && ['complex', 'range', 'slice'].includes(global.name));

export const isBuiltin = ({ module, name }: PyGlobal, wanted: string): boolean =>
  name === wanted && BUILTINS.includes(module);

export const isStorage = ({ module, name }: PyGlobal): boolean =>
  STORAGE_MODULES.includes(module) && Object.hasOwn(STORAGES, name);

export const isDtype = ({ module, name }: PyGlobal): boolean => module === 'torch' && Object.hasOwn(DTYPES, name);

export const isNumpy = ({ module, name }: PyGlobal, wanted: string): boolean =>
  name === wanted && (module === 'numpy' || NUMPY_ARRAYS.includes(module));

function isAllowed(global: PyGlobal): boolean {
  if (isOpaque(global) || includes(DICTS, global) || isStorage(global) || isDtype(global) || includes(NAMES, global))
    return true;
  if (BUILTINS.includes(global.module)) return BUILTIN_NAMES.includes(global.name);
  return ['scalar', '_reconstruct', '_frombuffer'].some((name) => isNumpy(global, name));
}

/** Classes that a pickle of a whole module names. */
const MODULE_PACKAGES = /^(torch\.nn\.modules|torch\.nn\.parallel|torch\.fx|torchvision|timm)\b/;

/** The name itself where it is on the allow-list. Throws UNSUPPORTED, with the name and what to do, for every other. */
export function allowed(global: PyGlobal): PyGlobal {
  if (isAllowed(global)) return global;
  const shown = JSON.stringify(global.path.slice(0, 200));
  if (MODULE_PACKAGES.test(global.module)) {
    refuse(
      `the file is a whole pickled module (it names ${shown}), which only the code that wrote it can open. ${SAVE_STATE_DICT}`,
    );
  }
  refuse(
    `the file names ${shown}, and a pickle that names more than tensors and plain data is a program, which is never run. ${SAVE_STATE_DICT}`,
  );
}

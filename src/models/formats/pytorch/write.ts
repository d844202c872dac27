import type { Model } from '../../graph.js';
import type { WeightTensor, Weights } from '../../network.js';
import { IS_LITTLE_ENDIAN } from '../numbers.js';
import { PickleWriter } from '../pickle/pickleWriter.js';
import { writeZip, type ZipFile } from '../zip/write.js';

/** The folder that torch.save puts everything into when it is given a stream. */
const FOLDER = 'archive/';
/** Version of the layout: caffe2/serialize/versions.h, kProducedFileFormatVersion; that of PyTorch 1.6 and later. */
const VERSION = '3\n';
const ALIGNMENT = 64;

/** Versions of the root module that torchvision's classes ask for when they load a state dict. */
const MODULE_VERSIONS: readonly { readonly architecture: RegExp; readonly version: number }[] = [
  { architecture: /^mnasnet/, version: 2 },
];

function emptyOrderedDict(pickle: PickleWriter): void {
  pickle.global('collections', 'OrderedDict');
  pickle.emptyTuple();
  pickle.reduce();
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, requires_grad, hooks)` (torch/_utils.py). */
function writeTensor(pickle: PickleWriter, key: number, { shape, data }: WeightTensor): void {
  pickle.global('torch._utils', '_rebuild_tensor_v2');
  pickle.tuple(() => {
    pickle.tuple(() => {
      pickle.word('storage');
      pickle.global('torch', 'FloatStorage');
      pickle.text(String(key));
      pickle.word('cpu');
      pickle.int(data.length);
    });
    pickle.persistent();
    pickle.int(0);
    pickle.tuple(() => {
      for (const size of shape) pickle.int(size);
    });
    pickle.tuple(() => {
      for (let axis = 1; axis <= shape.length; axis++) pickle.int(shape.slice(axis).reduce((a, b) => a * b, 1));
    });
    pickle.false();
    emptyOrderedDict(pickle);
  });
  pickle.reduce();
}

function stateDictPickle(weights: Weights, version: number | null): Uint8Array {
  const pickle = new PickleWriter();
  emptyOrderedDict(pickle);
  pickle.items(() => {
    let key = 0;
    for (const [name, tensor] of weights) {
      pickle.text(name);
      writeTensor(pickle, key++, tensor);
    }
  });
  if (version !== null) {
    // The attribute in which a state dict carries the versions of its modules, by name; the root is called ''.
    pickle.emptyDict();
    pickle.items(() => {
      pickle.text('_metadata');
      emptyOrderedDict(pickle);
      pickle.items(() => {
        pickle.text('');
        pickle.emptyDict();
        pickle.items(() => {
          pickle.text('version');
          pickle.int(version);
        });
      });
    });
    pickle.build();
  }
  return pickle.finish();
}

function littleEndian({ data }: WeightTensor): Uint8Array {
  if (IS_LITTLE_ENDIAN) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const view = new DataView(new ArrayBuffer(data.byteLength));
  data.forEach((value, index) => view.setFloat32(index * 4, value, true));
  return new Uint8Array(view.buffer);
}

/**
 * A network's weights as a PyTorch state dict in the zip format, which `torch.load` reads, `weights_only=True` included. Names
 * are the network's own; for built-in architectures torchvision's, in the order of the layers. The same weights give the same bytes.
 * Throws UNSUPPORTED beyond 4 GiB.
 */
export function writePytorch({ network, weights }: Model): Uint8Array<ArrayBuffer> {
  const version = MODULE_VERSIONS.find(({ architecture }) => architecture.test(network.architecture))?.version ?? null;
  const text = (value: string): Uint8Array => new TextEncoder().encode(value);
  const files: ZipFile[] = [
    { name: `${FOLDER}data.pkl`, data: stateDictPickle(weights, version) },
    { name: `${FOLDER}.format_version`, data: text('1') },
    { name: `${FOLDER}.storage_alignment`, data: text(String(ALIGNMENT)) },
    { name: `${FOLDER}byteorder`, data: text('little') },
    ...[...weights.values()].map((tensor, key) => ({ name: `${FOLDER}data/${key}`, data: littleEndian(tensor) })),
    { name: `${FOLDER}version`, data: text(VERSION) },
  ];
  return writeZip(files, ALIGNMENT);
}

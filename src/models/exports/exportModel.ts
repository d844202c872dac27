import { matchArchitecture } from '../architectures/match.js';
import type { Conversion } from '../conversion.js';
import { ModelError } from '../errors.js';
import { type OnnxExport, type OnnxExportOptions, writeOnnx } from '../formats/onnx/exportOnnx.js';
import { writePytorch } from '../formats/pytorch/write.js';
import { writeModel } from '../formats/safetensors.js';
import { writeTfjs } from '../formats/tfjs/exportTfjs.js';
import { writeZip } from '../formats/zip/write.js';
import type { Model } from '../graph.js';
import type { Network } from '../network.js';
import { networkToJson } from '../networkJson.js';
import { readme } from './readme.js';
import { torchvisionCall } from './torchvision.js';

export type ExportFormat = 'safetensors' | 'onnx' | 'pytorch' | 'tfjs' | 'folder';

/** Those of ONNX hold wherever an ONNX file is written; others have none. */
export type ExportOptions = OnnxExportOptions;

export interface ExportedFile {
  /** Path with slashes. */
  readonly name: string;
  readonly data: Uint8Array;
}

export interface ExportedModel {
  readonly files: readonly ExportedFile[];
  /** One for each format that was written. */
  readonly conversions: readonly Conversion[];
  /** The ONNX file, where there is one, with what another engine has to know to run it. */
  readonly onnx: OnnxExport | null;
  /** What a person should know who takes these files alone. */
  readonly warnings: readonly string[];
  /** Files that a folder would hold and does not, each with the reason. */
  readonly leftOut: readonly string[];
}

const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** One label in a line. */
const labels = (classes: readonly string[]): string =>
  classes.map((label) => `${label.replace(/[\r\n]+/g, ' ')}\n`).join('');

const safetensorsConversion = ({ layers }: Network): Conversion => ({
  format: 'safetensors',
  version: null,
  mapped: [{ from: 'layers', to: 'layers', count: layers.length }],
  folded: [],
  ignored: [],
});

/** A state dict is weights alone. */
const pytorchConversion = ({ network, weights }: Model): Conversion => ({
  format: 'PyTorch',
  version: 'state dict in a zip archive, as of 1.6',
  mapped: [{ from: 'weights', to: 'tensors', count: weights.size }],
  folded: [],
  ignored: ['layers', ...(network.classes ? ['labels'] : []), 'preprocessing'].map(
    (what) => `${what}: a state dict holds weights alone`,
  ),
});

/** A file that Graft could not read back. */
const pytorchWarnings = ({ weights }: Model): string[] =>
  matchArchitecture(weights)
    ? []
    : [
        'A state dict holds no network, and these weights are those of no built-in architecture: Graft cannot import this file, and elsewhere it needs the code of the network. ONNX, safetensors and a folder hold the network too.',
      ];

/** What `write` gives, or the reason why this network has no such file. */
function where<T>(what: string, leftOut: string[], write: () => T): T | null {
  try {
    return write();
  } catch (error) {
    if (!(error instanceof ModelError) || error.code !== 'UNSUPPORTED') throw error;
    leftOut.push(`${what}: ${error.message}`);
    return null;
  }
}

const inFolder = (folder: string, files: Readonly<Record<string, Uint8Array>>): ExportedFile[] =>
  Object.entries(files).map(([name, data]) => ({ name: `${folder}${name}`, data }));

/** Everything that somebody needs who takes the network elsewhere. */
function folder(name: string, model: Model, options: ExportOptions): ExportedModel {
  const { network } = model;
  const leftOut: string[] = [];
  const onnx = where('model.onnx', leftOut, () => writeOnnx(model, options));
  const pytorch = where('model.pth', leftOut, () => writePytorch(model));
  const tfjs = where('tfjs', leftOut, () => writeTfjs(model));
  const contents = {
    onnx: onnx && { input: onnx.input, output: onnx.output, options },
    pytorch: pytorch && { torchvision: torchvisionCall(model) },
    hasTfjs: tfjs !== null,
    leftOut,
  };
  const files: ExportedFile[] = [
    { name: 'README.md', data: text(readme(name, network, contents)) },
    ...(network.classes ? [{ name: 'labels.txt', data: text(labels(network.classes)) }] : []),
    { name: 'preprocessing.json', data: text(`${JSON.stringify(network.preprocessing, null, 2)}\n`) },
    ...(onnx ? [{ name: 'model.onnx', data: onnx.file }] : []),
    ...(pytorch ? [{ name: 'model.pth', data: pytorch }] : []),
    ...(tfjs ? inFolder('tfjs/', tfjs.files) : []),
    { name: 'network.json', data: text(networkToJson(network)) },
    { name: 'model.safetensors', data: writeModel(model) },
  ];
  const conversions = [
    ...(onnx ? [onnx.conversion] : []),
    ...(pytorch ? [pytorchConversion(model)] : []),
    ...(tfjs ? [tfjs.conversion] : []),
    safetensorsConversion(network),
  ];
  return { files, conversions, onnx, warnings: [], leftOut };
}

/**
 * Writes a model in a format. `name` is for people, and what single files are called. Throws UNSUPPORTED where the format
 * cannot say the network; a folder leaves such files out and says so in its README.
 */
export function exportModel(
  name: string,
  model: Model,
  format: ExportFormat,
  options: ExportOptions = {},
): ExportedModel {
  switch (format) {
    case 'safetensors': {
      const files = [{ name: `${name}.safetensors`, data: writeModel(model) }];
      return { files, conversions: [safetensorsConversion(model.network)], onnx: null, warnings: [], leftOut: [] };
    }
    case 'onnx': {
      const onnx = writeOnnx(model, options);
      const files = [{ name: `${name}.onnx`, data: onnx.file }];
      return { files, conversions: [onnx.conversion], onnx, warnings: [], leftOut: [] };
    }
    case 'pytorch': {
      const files = [{ name: `${name}.pth`, data: writePytorch(model) }];
      return {
        files,
        conversions: [pytorchConversion(model)],
        onnx: null,
        warnings: pytorchWarnings(model),
        leftOut: [],
      };
    }
    case 'tfjs': {
      const tfjs = writeTfjs(model);
      return { files: inFolder('', tfjs.files), conversions: [tfjs.conversion], onnx: null, warnings: [], leftOut: [] };
    }
    case 'folder':
      return folder(name, model, options);
  }
}

/** An export as one file: itself, or a zip archive whose files lie in a folder of that name. */
export function packExport(name: string, files: readonly ExportedFile[]): ExportedFile {
  const [first, ...others] = files;
  if (first && others.length === 0) return first;
  return { name: `${name}.zip`, data: writeZip(files.map((file) => ({ ...file, name: `${name}/${file.name}` }))) };
}

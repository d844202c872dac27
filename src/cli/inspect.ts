import { elementCount } from '../kernels/tensor.js';
import { type ImportedModel, importGraph, importModel, type ModelFiles } from '../models/detect.js';
import { ModelError } from '../models/errors.js';
import type { GraphModel } from '../models/graphModel.js';
import { type Inputs } from '../models/layers/definition.js';
import { definitionOf } from '../models/layers/registry.js';
import type { LayerShape, Network } from '../models/network.js';
import { graphShapes, weightSpecs } from '../models/shapes.js';
import { parseSize } from './inferArguments.js';
import { readModelFiles } from './modelFiles.js';
import { EXIT, UsageError } from './usage.js';

interface LayerReport {
  readonly name: string;
  readonly kind: string;
  readonly inputs: readonly string[];
  /** With the batch as `null` where it is open. */
  readonly shape: readonly (number | null)[];
  readonly parameters: number;
  readonly multiplyAdds: number;
}

interface Report {
  readonly format: string;
  readonly name: string;
  readonly inputs: readonly { name: string; type: string; shape: readonly (number | null)[] | null }[];
  readonly outputs: readonly { name: string; type: string; shape: readonly (number | null)[] }[];
  readonly layers: readonly LayerReport[];
  readonly parameters: number;
  readonly multiplyAdds: number;
  /** Null where the graph is none that classifies pictures. */
  readonly preprocessing: Network['preprocessing'] | null;
  /** Fields of it that nobody said, which are ImageNet's. */
  readonly assumed: readonly string[];
  readonly classes: readonly string[] | null;
}

/** The file as a network for pictures; null where it is none. */
function classifierOf(files: ModelFiles, inputSize: { inputSize?: number }): ImportedModel | null {
  try {
    return importModel(files, inputSize);
  } catch (error) {
    if (error instanceof ModelError) return null;
    throw error;
  }
}

function layersOf({ graph }: GraphModel): LayerReport[] {
  const shapes = graphShapes(graph);
  const parameters = new Map<string, number>();
  for (const { layer, role, shape } of weightSpecs(graph, shapes)) {
    if (role !== 'weight' && role !== 'bias') continue;
    parameters.set(layer.name, (parameters.get(layer.name) ?? 0) + elementCount(shape));
  }
  return graph.layers.map((layer) => {
    const output = shapes.shapes.get(layer.name) as LayerShape;
    const inputs = layer.inputs.map((name) => shapes.shapes.get(name)) as unknown as Inputs<LayerShape>;
    return {
      name: layer.name,
      kind: layer.kind,
      inputs: layer.inputs,
      shape: shapes.batched.has(layer.name) ? [null, ...output.slice(1)] : output,
      parameters: parameters.get(layer.name) ?? 0,
      multiplyAdds: definitionOf(layer.kind).multiplyAdds?.(layer, inputs, output) ?? 0,
    };
  });
}

function reportOf(files: ModelFiles, size: number | null): Report {
  const inputSize = size === null ? {} : { inputSize: size };
  const model = importGraph(files, inputSize);
  const classifier = classifierOf(files, inputSize);
  const guessed = classifier?.preprocessingSources.filter(({ origin }) => origin === 'default') ?? [];
  const layers = layersOf(model);
  const shapeOf = new Map(layers.map(({ name, shape }) => [name, shape]));
  const sum = (count: (layer: LayerReport) => number) => layers.reduce((total, layer) => total + count(layer), 0);
  return {
    format: model.format,
    name: model.name,
    inputs: model.inputs.map(({ name, type, shape }) => ({ name, type, shape })),
    outputs: model.outputs.map(({ name, type, layer, constant }) => ({
      name,
      type,
      shape: layer === null ? (constant?.shape ?? []) : (shapeOf.get(layer) ?? []),
    })),
    layers,
    parameters: sum(({ parameters }) => parameters),
    multiplyAdds: sum(({ multiplyAdds }) => multiplyAdds),
    preprocessing: classifier?.network.preprocessing ?? null,
    assumed: guessed.map(({ field }) => field),
    classes: classifier?.network.classes ?? null,
  };
}

const show = (shape: readonly (number | null)[] | null): string =>
  shape ? `[${shape.map((size) => size ?? 'N').join(', ')}]` : '[?]';

/** Columns of text, each as wide as its longest cell. */
function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd(),
  );
}

const SHOWN_CLASSES = 10;

function render(report: Report): string {
  const { layers, preprocessing, classes } = report;
  const rows = layers.map(({ name, kind, shape, parameters }) => [
    name,
    kind,
    show(shape),
    parameters.toLocaleString('en'),
  ]);
  const lines = [
    `${report.name || 'A model'} (${report.format})`,
    ...report.inputs.map(({ name, type, shape }) => `input   ${name}: ${type} ${show(shape)}`),
    ...report.outputs.map(({ name, type, shape }) => `output  ${name}: ${type} ${show(shape)}`),
    '',
    ...table([['layer', 'kind', 'output', 'parameters'], ...rows]),
    '',
    `${layers.length} layers, ${report.parameters.toLocaleString('en')} parameters, ${report.multiplyAdds.toLocaleString('en')} multiply-adds for one picture`,
  ];
  if (preprocessing) {
    const { width, height, fit, channelOrder, scale, mean, std } = preprocessing;
    lines.push(
      `preprocessing: ${width} x ${height} (${fit}), ${channelOrder}, (byte / ${scale} - [${mean.join(', ')}]) / [${std.join(', ')}]`,
    );
    if (report.assumed.length > 0) {
      lines.push(`  assumed (ImageNet's), the file does not say it: ${report.assumed.join(', ')}`);
    }
  } else lines.push('preprocessing: none; this graph is no classifier of pictures');
  if (classes) {
    const more = classes.length > SHOWN_CLASSES ? ` and ${classes.length - SHOWN_CLASSES} more` : '';
    lines.push(`classes: ${classes.slice(0, SHOWN_CLASSES).join(', ')}${more}`);
  }
  return lines.join('\n');
}

/** Prints what a model file holds: inputs, outputs, layers, shapes, parameters, preprocessing, classes. */
export async function inspect(args: readonly string[]): Promise<number> {
  const rest = [...args];
  let [path, json, size]: [string | null, boolean, number | null] = [null, false, null];
  for (let argument = rest.shift(); argument !== undefined; argument = rest.shift()) {
    if (argument === '--json') json = true;
    else if (argument === '--size') size = parseSize(rest.shift() ?? '');
    else if (argument.startsWith('--size=')) size = parseSize(argument.slice('--size='.length));
    else if (argument.startsWith('-')) throw new UsageError(`inspect takes no ${argument}.`);
    else if (path === null) path = argument;
    else throw new UsageError(`inspect takes one file; got ${path} and ${argument}.`);
  }
  if (path === null) throw new UsageError('inspect takes a file: graft inspect FILE.');
  const report = reportOf(await readModelFiles(path), size);
  process.stdout.write(`${json ? JSON.stringify(report) : render(report)}\n`);
  return EXIT.ok;
}

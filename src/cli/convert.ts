import { mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, sep } from 'node:path';
import { parseArgs } from 'node:util';
import { compareExport, generatedPictures } from '../jobs/compareExport.js';
import { type ImportedModel, importModel } from '../models/detect.js';
import { ModelError } from '../models/errors.js';
import { exportModel, type ExportedModel, type ExportFormat, packExport } from '../models/exports/exportModel.js';
import type { OnnxExport, OnnxExportOptions } from '../models/formats/onnx/exportOnnx.js';
import type { Preprocessing } from '../models/network.js';
import type { ComparisonOutcome, Receipt } from '../models/receipt.js';
import { openEngine, releaseGpu } from '../runtime/gpu.js';
import { findOnnxRuntime } from '../runtime/onnxRuntime.js';
import { differenceWarning, exportReceipt, fileReceipt, importReceipt } from '../services/receipts.js';
import { parseSize } from './inferArguments.js';
import { readModelFiles } from './modelFiles.js';
import { EXIT, UsageError } from './usage.js';

const FORMATS: readonly ExportFormat[] = ['safetensors', 'onnx', 'pytorch', 'tfjs', 'folder'];
const EXTENSIONS: Readonly<Record<string, ExportFormat>> = {
  '.safetensors': 'safetensors',
  '.onnx': 'onnx',
  '.pth': 'pytorch',
  '.pt': 'pytorch',
  '.zip': 'folder',
};
/** Formats of several files, which go into a folder or a zip archive. */
const OF_SEVERAL_FILES: readonly ExportFormat[] = ['folder', 'tfjs'];

const PICTURES: Readonly<Record<string, NonNullable<OnnxExportOptions['pictures']>>> = {
  'uint8-nhwc': { type: 'uint8', layout: 'NHWC' },
  'uint8-nchw': { type: 'uint8', layout: 'NCHW' },
  'float32-nhwc': { type: 'float32', layout: 'NHWC' },
  'float32-nchw': { type: 'float32', layout: 'NCHW' },
};

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        format: { type: 'string' },
        softmax: { type: 'boolean', default: false },
        pictures: { type: 'string' },
        labels: { type: 'string' },
        preprocessing: { type: 'string' },
        size: { type: 'string' },
        compare: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

const isFolder = async (path: string): Promise<boolean> =>
  path.endsWith('/') || path.endsWith(sep) || ((await stat(path).catch(() => null))?.isDirectory() ?? false);

async function formatOf(out: string, given: string | undefined): Promise<ExportFormat> {
  const known = FORMATS.find((format) => format === given);
  if (given !== undefined && !known) throw new UsageError(`--format is one of ${FORMATS.join(', ')}; got ${given}.`);
  const format = known ?? ((await isFolder(out)) ? 'folder' : EXTENSIONS[extname(out).toLowerCase()]);
  if (format) return format;
  throw new UsageError(
    `${out} says no format: end it in ${Object.keys(EXTENSIONS).join(', ')} or / (a folder), or give --format.`,
  );
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new ModelError('INVALID_ARGUMENT', `${path} cannot be read: ${(error as Error).message}`);
  }
}

/** One label in a line. */
const labelsIn = (text: string): string[] =>
  text.split(/\r?\n/).filter((line, i, all) => line !== '' || i < all.length - 1);

function preprocessingIn(path: string, text: string): Partial<Preprocessing> {
  try {
    const value: unknown = JSON.parse(text);
    if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value;
  } catch (error) {
    throw new ModelError('INVALID_ARGUMENT', `${path} is no JSON: ${(error as Error).message}`);
  }
  throw new ModelError('INVALID_ARGUMENT', `${path} holds no JSON object.`);
}

/** A file appears whole or not at all. */
async function writeWhole(path: string, data: Uint8Array): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const partial = `${path}.partial`;
  await writeFile(partial, data);
  await rename(partial, path);
}

/** Returns the paths written. */
async function write(out: string, format: ExportFormat, name: string, { files }: ExportedModel): Promise<string[]> {
  if (!OF_SEVERAL_FILES.includes(format) || extname(out).toLowerCase() === '.zip') {
    const path = (await isFolder(out)) ? join(out, packExport(name, files).name) : out;
    await writeWhole(path, packExport(name, files).data);
    return [path];
  }
  const paths = files.map((file) => join(out, ...file.name.split('/')));
  for (const [index, path] of paths.entries()) await writeWhole(path, files[index]?.data as Uint8Array);
  return paths;
}

async function compared(
  model: ImportedModel,
  onnx: OnnxExport | null,
  options: OnnxExportOptions,
): Promise<ComparisonOutcome> {
  if (!onnx) return { notCompared: 'No other engine that Graft knows runs a file of this format.' };
  const other = await findOnnxRuntime();
  if (!other) return { notCompared: 'No other engine is installed here: npm install onnxruntime-node gives one.' };
  const engine = await openEngine();
  try {
    const { pictures = null, softmax = false } = options;
    const exported = { ...onnx, values: [...onnx.values], pictures, softmax };
    return { comparison: await compareExport(engine, model, exported, other, generatedPictures(model.network)) };
  } finally {
    engine.destroy();
    releaseGpu();
  }
}

function lines(title: string, { conversions, comparison, notCompared, warnings }: Receipt): string[] {
  return [
    ...conversions.flatMap(({ format, version, mapped, folded, ignored }) => [
      `${title} ${format}${version ? ` (${version})` : ''}`,
      ...mapped.map(({ from, to, count }) => `  ${count} ${from} -> ${to}`),
      ...folded.map((line) => `  folded: ${line}`),
      ...ignored.map((line) => `  ignored: ${line}`),
    ]),
    ...(comparison
      ? [
          `compared with ${comparison.against} on ${comparison.inputs} inputs: ${comparison.relativeDifference.toExponential(1)} of the largest value at most, shown by ${comparison.input}`,
        ]
      : title === 'out' && notCompared
        ? [`not compared: ${notCompared}`]
        : []),
    ...warnings.map((warning) => `WARNING: ${warning}`),
  ];
}

/** Imports any file that Graft reads and writes it in another format, with both receipts. */
export async function convert(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [source, out, ...rest] = positionals;
  if (source === undefined || out === undefined || rest.length > 0) {
    throw new UsageError('convert takes a model and where to write it: graft convert IN OUT.');
  }
  const format = await formatOf(out, values.format);
  const pictures = values.pictures === undefined ? null : PICTURES[values.pictures.toLowerCase()];
  if (pictures === undefined) throw new UsageError(`--pictures is one of ${Object.keys(PICTURES).join(', ')}.`);
  const size = values.size === undefined ? null : parseSize(values.size);
  const files = await readModelFiles(source);
  const model = importModel(files, {
    ...(size !== null && { inputSize: size }),
    ...(values.labels !== undefined && { classes: labelsIn(await readText(values.labels)) }),
    ...(values.preprocessing !== undefined && {
      preprocessing: preprocessingIn(values.preprocessing, await readText(values.preprocessing)),
    }),
  });
  const options = { softmax: values.softmax, pictures };
  const name = basename(out, extname(out)) || basename(dirname(out)) || 'network';
  const exported = exportModel(name, model, format, options);
  const outcome: ComparisonOutcome = values.compare
    ? await compared(model, exported.onnx, options)
    : { notCompared: 'It was not asked for: --compare.' };
  const paths = await write(out, format, name, exported);
  const incoming = importReceipt(files, model, { notCompared: 'No reference was given with the file.' });
  const written = exported.files.map((file) => fileReceipt(file.name, file.data));
  const outgoing = exportReceipt(written, exported, model.network.preprocessing, outcome);
  const { leftOut } = exported;
  const report = [
    ...lines('in', incoming),
    ...lines('out', outgoing),
    ...leftOut.map((what) => `left out ${what.replace(/\s*\n\s*/g, ' ')}`),
    ...paths.map((path) => `wrote ${path}`),
  ];
  process.stdout.write(
    values.json
      ? `${JSON.stringify({ in: incoming, out: outgoing, leftOut, files: paths })}\n`
      : `${report.join('\n')}\n`,
  );
  const { comparison } = outgoing;
  return comparison && differenceWarning(comparison) !== null ? EXIT.failed : EXIT.ok;
}

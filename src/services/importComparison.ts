import { pictureFormat } from '../datasets/pictureFormat.js';
import type { CompareReferenceJob } from '../jobs/protocol.js';
import { PICTURE_TOLERANCE, TOLERANCE } from '../models/comparison.js';
import type { ImportedModel, ModelFiles } from '../models/detect.js';
import { ModelError } from '../models/errors.js';
import { looksLikeNpy, npyFloats, readNpy, readNpz } from '../models/formats/npy.js';
import { readTensorFile } from '../models/formats/onnx/tensorFile.js';
import { looksLikeZip } from '../models/formats/zip/archive.js';
import type { Network } from '../models/network.js';
import type { ComparisonOutcome } from '../models/receipt.js';
import type { NewRevision } from '../store/networks.js';
import type { UploadRow } from '../store/schema.js';
import type { ReferenceInput } from './api.js';
import type { Context } from './context.js';
import { badInput } from './inputs.js';
import { modelReference, request } from './jobRequest.js';
import { requireUploads } from './modelFiles.js';

/** Reference inputs in one import. */
const MAX_INPUTS = 1000;

interface NamedArray {
  readonly name: string;
  readonly data: Float32Array;
}

/** The arrays of a .npy, .npz or .pb file. Throws INVALID_FILE. */
function readArrays(name: string, content: Uint8Array): NamedArray[] {
  if (looksLikeNpy(content)) return [{ name, data: npyFloats(readNpy(content)) }];
  if (looksLikeZip(content)) {
    return [...readNpz(content)].map(([key, array]) => ({ name: `${name}/${key}`, data: npyFloats(array) }));
  }
  try {
    return [{ name, data: readTensorFile(content) }];
  } catch (error) {
    if (!(error instanceof ModelError)) throw error;
    throw badInput(`${name} is no array: references are .npy, .npz and ONNX's .pb files. ${error.message}`);
  }
}

const joined = (arrays: readonly NamedArray[]): Float32Array => {
  const whole = new Float32Array(arrays.reduce((sum, { data }) => sum + data.length, 0));
  let offset = 0;
  for (const { data } of arrays) {
    whole.set(data, offset);
    offset += data.length;
  }
  return whole;
};

const bytesOf = ({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength);

/** A name for each row of values that the network reads. */
function rowNames(arrays: readonly NamedArray[], { layers }: Network): string[] {
  const size = layers[0]?.kind === 'input' ? layers[0].shape.reduce((product, length) => product * length, 1) : 0;
  return arrays.flatMap(({ name, data }) => {
    const rows = data.length / size;
    if (!Number.isInteger(rows) || rows < 1) {
      throw badInput(`${name} has ${data.length} values; the network reads ${size} for each input.`);
    }
    return Array.from({ length: rows }, (_, row) => (rows === 1 ? name : `${name}[${row}]`));
  });
}

type Prepared = Pick<CompareReferenceJob, 'inputs' | 'expected' | 'source' | 'tolerance'>;

async function prepare(context: Context, reference: ReferenceInput, network: Network): Promise<Prepared> {
  const { blobs } = context;
  const read = (upload: UploadRow) => blobs.read(upload.hash);
  const arraysOf = async (uploads: readonly UploadRow[]) =>
    (await Promise.all(uploads.map(async (upload) => readArrays(upload.filename, await read(upload))))).flat();
  const inputUploads = await requireUploads(context, reference.inputUploadIds);
  const outputUploads = await requireUploads(context, reference.outputUploadIds);
  if (inputUploads.length === 0 || outputUploads.length === 0) throw badInput('A reference has inputs and outputs.');
  const arePictures = pictureFormat(await read(inputUploads[0] as UploadRow)) !== null;
  const arrays = arePictures ? [] : await arraysOf(inputUploads);
  const names = arePictures ? inputUploads.map(({ filename }) => filename) : rowNames(arrays, network);
  if (names.length > MAX_INPUTS) throw badInput(`A reference has at most ${MAX_INPUTS} inputs; got ${names.length}.`);
  const expected = joined(await arraysOf(outputUploads));
  if (expected.length === 0 || expected.length % names.length !== 0) {
    throw badInput(
      `The reference has ${expected.length} output values for ${names.length} inputs, which is no whole number for each.`,
    );
  }
  const pictures = inputUploads.map(({ filename, hash }) => ({ name: filename, hash }));
  return {
    inputs: arePictures ? { pictures } : { values: (await blobs.put(bytesOf(joined(arrays)))).hash, names },
    expected: (await blobs.put(bytesOf(expected))).hash,
    source: outputUploads.map(({ filename }) => filename).join(', '),
    tolerance: reference.tolerance ?? (arePictures ? PICTURE_TOLERANCE : TOLERANCE),
  };
}

/**
 * Computes reference inputs on our engine and compares with the outputs given. Throws BAD_USER_INPUT for references that do not
 * fit the network; an import does not fail because nothing could compute.
 */
export async function compareImport(
  context: Context,
  revision: NewRevision,
  { format, file, network }: ImportedModel,
  files: ModelFiles,
  reference: ReferenceInput | undefined,
): Promise<ComparisonOutcome> {
  if (!reference) return { notCompared: 'No reference was given with the file.' };
  const prepared = await prepare(context, reference, network);
  const onnx = format === 'onnx' ? (await context.blobs.put(files[file] as Uint8Array)).hash : null;
  const model = modelReference(revision);
  try {
    return await request(context, { kind: 'compareReference', model, ...prepared, onnx });
  } catch (error) {
    context.logger.warn({ err: error }, 'an import could not be compared');
    return { notCompared: `It was tried and failed: ${(error as Error).message}` };
  }
}

import { exportModel, type ExportFormat as ModelExportFormat, packExport } from '../models/exports/exportModel.js';
import type { OnnxExport, OnnxExportOptions } from '../models/formats/onnx/exportOnnx.js';
import type { ComparisonOutcome, Receipt } from '../models/receipt.js';
import { exportOf, exportsOfRevisions, insertExport } from '../store/networks.js';
import type { ExportRow, RevisionRow, UploadRow } from '../store/schema.js';
import type { ExportFormat, ExportOptions, ExportRecord, Services } from './api.js';
import type { Context } from './context.js';
import { badInput } from './inputs.js';
import { modelReference, request } from './jobRequest.js';
import { requireUploads } from './modelFiles.js';
import { loadModel, requireNetwork, requireRevision } from './models.js';
import { exportReceipt, fileReceipt } from './receipts.js';

type ExportServices = Pick<Services, 'exportRevision' | 'exportsOfRevisions'>;

const FORMATS: Readonly<Record<ExportFormat, ModelExportFormat>> = {
  SAFETENSORS: 'safetensors',
  ONNX: 'onnx',
  PYTORCH: 'pytorch',
  TFJS: 'tfjs',
  FOLDER: 'folder',
};

/** Formats in which options say something. */
const WITH_OPTIONS: readonly ExportFormat[] = ['ONNX', 'FOLDER'];

/** The options as they are kept with the export: the same ones always as the same text. */
function canonical(format: ExportFormat, { softmax = false, pictures }: ExportOptions): string {
  const { type, layout } = pictures ?? {};
  if (!softmax && !pictures) return '{}';
  if (!WITH_OPTIONS.includes(format)) {
    throw badInput(`${format} takes no options; softmax and pictures are for ${WITH_OPTIONS.join(' and ')}.`);
  }
  return JSON.stringify({ softmax, ...(pictures ? { pictures: { type, layout } } : {}) });
}

export function exportServices(context: Context): ExportServices {
  const { queries, blobs } = context;
  return {
    async exportRevision(revisionId, format, { compare = true, pictureUploadIds = [], ...options } = {}) {
      const key = { revisionId, format, options: canonical(format, options) };
      const made = await exportOf(queries, key);
      const receipt = made?.receipt ? (JSON.parse(made.receipt) as Receipt) : null;
      const isDone = receipt?.comparison != null || !compare || !WITH_OPTIONS.includes(format);
      if (made && receipt && isDone && pictureUploadIds.length === 0) return toExport(made);
      const revision = await requireRevision(context, revisionId);
      const pictures = await requireUploads(context, pictureUploadIds);
      const written = await write(revision, format, options, compare ? pictures : null);
      return toExport(await insertExport(queries, { ...key, ...written }));
    },

    async exportsOfRevisions(revisionIds) {
      const rows = await exportsOfRevisions(queries, revisionIds);
      return rows.map((exports) => exports.map(toExport));
    },
  };

  /** `pictures` are compared on; null: nothing is compared. */
  async function write(
    revision: RevisionRow,
    format: ExportFormat,
    options: ExportOptions,
    pictures: readonly UploadRow[] | null,
  ) {
    const network = await requireNetwork(context, revision.networkId);
    const name = `${slug(network.name)}-${revision.id.slice(-8)}`;
    const model = await loadModel(blobs, revision);
    const exported = exportModel(name, model, FORMATS[format], options);
    const { name: filename, data } = packExport(name, exported.files);
    const { hash, bytes } = await blobs.put(data);
    const files = exported.files.map((file) => fileReceipt(file.name, file.data));
    const outcome = await compared(revision, exported.onnx, options, pictures);
    const receipt = exportReceipt(files, exported, model.network.preprocessing, outcome);
    return { filename, bytes, hash, receipt: JSON.stringify(receipt) };
  }

  /** Our engine against another on the file; an export does not fail because that could not be done. */
  async function compared(
    revision: RevisionRow,
    onnx: OnnxExport | null,
    {
      pictures: graphPictures = null,
      softmax = false,
    }: Omit<ExportOptions, 'pictures'> & Pick<OnnxExportOptions, 'pictures'>,
    pictures: readonly UploadRow[] | null,
  ): Promise<ComparisonOutcome> {
    if (!pictures) return { notCompared: 'It was not asked for.' };
    if (!onnx) return { notCompared: 'No other engine that Graft knows runs a file of this format.' };
    const { hash } = await blobs.put(onnx.file);
    const { input, output, values } = onnx;
    const exported = { input, output, values: [...values], pictures: graphPictures, softmax };
    const named = pictures.map((upload) => ({ name: upload.filename, hash: upload.hash }));
    const model = modelReference(revision);
    try {
      return await request(context, { kind: 'compareExport', model, hash, exported, pictures: named });
    } catch (error) {
      context.logger.warn({ err: error, revision: revision.id }, 'an export could not be compared');
      return { notCompared: `It was tried and failed: ${(error as Error).message}` };
    }
  }
}

function slug(name: string): string {
  return (
    name
      .normalize('NFKD')
      .toLowerCase()
      .replace(/[^a-z0-9]+/g, '-')
      .replace(/^-+|-+$/g, '')
      .slice(0, 60) || 'network'
  );
}

function toExport({ format, receipt, options, ...row }: ExportRow): ExportRecord {
  return {
    ...row,
    format: format as ExportFormat,
    options: JSON.parse(options) as ExportOptions,
    receipt: receipt === null ? null : (JSON.parse(receipt) as Receipt),
  };
}

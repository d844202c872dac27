import { exportModel, type ExportFormat as ModelExportFormat, packExport } from '../models/exports/exportModel.js';
import type { Receipt } from '../models/receipt.js';
import { exportOf, exportsOfRevisions, insertExport } from '../store/networks.js';
import type { ExportRow, RevisionRow } from '../store/schema.js';
import type { ExportFormat, ExportOptions, ExportRecord, Services } from './api.js';
import type { Context } from './context.js';
import { badInput } from './inputs.js';
import { loadModel, requireNetwork, requireRevision } from './models.js';
import { exportReceipt, fileReceipt } from './receipts.js';

type ExportServices = Pick<Services, 'exportRevision' | 'exportsOfRevisions'>;

const FORMATS: Readonly<Record<ExportFormat, ModelExportFormat>> = {
  SAFETENSORS: 'safetensors',
  ONNX: 'onnx',
  PYTORCH: 'pytorch',
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
    async exportRevision(revisionId, format, options = {}) {
      const key = { revisionId, format, options: canonical(format, options) };
      const made = await exportOf(queries, key);
      if (made?.receipt) return toExport(made);
      const revision = await requireRevision(context, revisionId);
      return toExport(await insertExport(queries, { ...key, ...(await write(revision, format, options)) }));
    },

    async exportsOfRevisions(revisionIds) {
      const rows = await exportsOfRevisions(queries, revisionIds);
      return rows.map((exports) => exports.map(toExport));
    },
  };

  async function write(revision: RevisionRow, format: ExportFormat, options: ExportOptions) {
    const network = await requireNetwork(context, revision.networkId);
    const name = `${slug(network.name)}-${revision.id.slice(-8)}`;
    const model = await loadModel(blobs, revision);
    const exported = exportModel(name, model, FORMATS[format], options);
    const { name: filename, data } = packExport(name, exported.files);
    const { hash, bytes } = await blobs.put(data);
    const files = exported.files.map((file) => fileReceipt(file.name, file.data));
    const outcome = { notCompared: 'no other engine was asked' };
    const receipt = exportReceipt(files, exported.conversions, model.network.preprocessing, outcome);
    return { filename, bytes, hash, receipt: JSON.stringify(receipt) };
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

import { openArchive } from '../datasets/archive.js';
import { ingest } from '../datasets/ingest.js';
import {
  classesOfDatasets,
  datasetsById,
  deleteDataset,
  insertDataset,
  pageDatasets,
  pagePictures,
} from '../store/datasets.js';
import { activeRuns } from '../store/runs.js';
import type { DatasetRow, PictureRow, RevisionRow } from '../store/schema.js';
import {
  type CreateDatasetInput,
  type DatasetRecord,
  type DatasetWarning,
  type PictureRecord,
  ServiceError,
  type Services,
} from './api.js';
import type { Context } from './context.js';
import { resolveImportFolder } from './importFolder.js';
import { badInput, checkName, checkSeed, notFound } from './inputs.js';
import { requireUploads } from './modelFiles.js';

type DatasetServices = Pick<
  Services,
  'createDataset' | 'datasets' | 'datasetsById' | 'classCountsOfDatasets' | 'picturesOfDatasets' | 'deleteDataset'
>;

export function datasetServices(context: Context): DatasetServices {
  const { queries, database } = context;
  return {
    async createDataset(input) {
      const name = checkName(input.name);
      const seed = checkSeed(input.seed ?? 1);
      const path = await sourcePath(context, input);
      const { validationShare, testShare } = input;
      const maxPictures = context.config.maxDatasetPictures;
      const options = { seed, validationShare, testShare, maxPictures, signal: context.closing };
      const found = await ingest(openArchive(path), options, (bytes) => context.blobs.put(bytes));
      return toDataset(await database.transaction((transaction) => insertDataset(transaction, { name, ...found })));
    },

    async datasets(page) {
      const found = await pageDatasets(queries, page);
      return { ...found, items: found.items.map(({ cursor, node }) => ({ cursor, node: toDataset(node) })) };
    },

    async datasetsById(ids) {
      const rows = await datasetsById(queries, ids);
      return rows.map((row) => row && toDataset(row));
    },

    async classCountsOfDatasets(ids) {
      const found = await classesOfDatasets(queries, ids);
      return found.map((rows) => rows.map(({ position, ...counts }) => ({ ...counts, index: position })));
    },

    async picturesOfDatasets(ids, filter, page) {
      const pages = await pagePictures(queries, ids, filter, page);
      return pages.map((found) => ({
        ...found,
        items: found.items.map(({ cursor, node }) => ({ cursor, node: toPicture(node) })),
      }));
    },

    async deleteDataset(id) {
      return database.transaction(async (transaction) => {
        const active = await activeRuns(transaction, { datasetId: id });
        if (active.length > 0) {
          const runs = active.slice(0, 5).join(', ');
          throw new ServiceError('CONFLICT', `A run trains on the data set ${id} (${runs}). Cancel that first.`);
        }
        return deleteDataset(transaction, id);
      });
    },
  };
}

/** The archive or folder that a data set is to be made of. */
async function sourcePath(context: Context, { uploadId, folder }: CreateDatasetInput): Promise<string> {
  if ((uploadId === undefined) === (folder === undefined)) {
    throw badInput('A data set is made of either an uploaded archive (uploadId) or a folder of the server (folder).');
  }
  if (folder !== undefined) return resolveImportFolder(context.config.importRoot, folder);
  const [upload] = await requireUploads(context, [uploadId as string]);
  return context.blobs.path((upload as { hash: string }).hash);
}

export async function requireDataset({ queries }: Context, id: string): Promise<DatasetRow> {
  const [dataset] = await datasetsById(queries, [id]);
  if (!dataset) throw notFound('data set', id);
  return dataset;
}

/** The network's outputs must mean the data set's classes, in the same order. */
export function checkSameClasses(revision: RevisionRow, dataset: DatasetRow): void {
  if (revision.classes === dataset.classes) return;
  const show = (json: string) => {
    const labels = JSON.parse(json) as string[] | null;
    if (labels === null) return 'unknown outputs';
    return `${labels.length} (${labels.slice(0, 5).join(', ')}${labels.length > 5 ? ' ...' : ''})`;
  };
  throw badInput(
    `The network's classes are ${show(revision.classes)}; the data set's are ${show(dataset.classes)}. ` +
      `Replace the head first, with datasetId ${dataset.id}.`,
  );
}

function toDataset(row: DatasetRow): DatasetRecord {
  return {
    ...row,
    classes: JSON.parse(row.classes) as string[],
    warnings: JSON.parse(row.warnings) as DatasetWarning[],
    skipped: JSON.parse(row.skipped) as DatasetRecord['skipped'],
  };
}

function toPicture(row: PictureRow): PictureRecord {
  const { id, datasetId, path, hash, label, labelIndex, split, width, height } = row;
  return { id, datasetId, path, hash, label, labelIndex, split, width, height };
}

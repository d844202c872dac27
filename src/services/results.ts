import { samplesOf } from '../store/datasets.js';
import { insertEvaluation, pageEvaluations } from '../store/networks.js';
import type { EvaluationRow } from '../store/schema.js';
import type { EvaluationResult } from '../training/types.js';
import { type EvaluationRecord, type Services } from './api.js';
import type { Context } from './context.js';
import { modelReference as reference, request } from './jobRequest.js';
import { checkSameClasses, requireDataset } from './datasets.js';
import { badInput } from './inputs.js';
import { requireUploads } from './modelFiles.js';
import { chooseRevision } from './models.js';

type ResultServices = Pick<Services, 'evaluate' | 'evaluations' | 'predict'>;

const MAX_PICTURES = 1000;
const DEFAULT_TOP_K = 5;
const MAX_TOP_K = 1000;

export function resultServices(context: Context): ResultServices {
  const { queries } = context;
  return {
    async evaluate({ networkId, revisionId, datasetId, split }) {
      const revision = await chooseRevision(context, networkId, revisionId);
      const dataset = await requireDataset(context, datasetId);
      checkSameClasses(revision, dataset);
      const samples = await samplesOf(queries, datasetId, split);
      if (samples.length === 0) {
        throw badInput(`The data set ${dataset.name} has no pictures in its ${split} split. Choose another split.`);
      }
      const classes = JSON.parse(dataset.classes) as string[];
      const result = await request(context, { kind: 'evaluate', model: reference(revision), samples, classes });
      const row = { revisionId: revision.id, datasetId, split, result: JSON.stringify(result) };
      return toEvaluation(await insertEvaluation(queries, row));
    },

    async evaluations(filter, page) {
      const found = await pageEvaluations(queries, filter, page);
      return { ...found, items: found.items.map(({ cursor, node }) => ({ cursor, node: toEvaluation(node) })) };
    },

    async predict({ networkId, revisionId, uploadIds, topK = DEFAULT_TOP_K }) {
      if (uploadIds.length < 1 || uploadIds.length > MAX_PICTURES) {
        throw badInput(`A prediction takes 1 to ${MAX_PICTURES} uploads; got ${uploadIds.length}.`);
      }
      if (!Number.isInteger(topK) || topK < 1 || topK > MAX_TOP_K) {
        throw badInput(`topK is an integer from 1 to ${MAX_TOP_K}; got ${topK}.`);
      }
      const revision = await chooseRevision(context, networkId, revisionId);
      const uploads = await requireUploads(context, uploadIds);
      const hashes = uploads.map(({ hash }) => hash);
      const outcomes = await request(context, { kind: 'predict', model: reference(revision), hashes, topK });
      return uploads.map(({ id, filename }, index) => {
        const { predictions, error } = outcomes[index] ?? { predictions: [], error: 'The worker gave no answer.' };
        return { uploadId: id, filename, predictions, error };
      });
    },
  };
}

function toEvaluation({ result, ...rest }: EvaluationRow): EvaluationRecord {
  return { ...rest, result: JSON.parse(result) as EvaluationResult };
}

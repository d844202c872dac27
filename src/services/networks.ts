import { importModel } from '../models/detect.js';
import { replaceHead } from '../models/head.js';
import type { PictureConfig } from '../models/formats/pictureConfig.js';
import type { Network, Preprocessing } from '../models/network.js';
import { networkFromJson } from '../models/networkJson.js';
import type { PreprocessingSource, Receipt } from '../models/receipt.js';
import { type LayerSelector, selectLayers } from '../models/selection.js';
import { summarizeNetwork } from '../models/summary.js';
import { freeze, randomizeWeights, setLearningRateFactor, unfreeze } from '../models/surgery.js';
import { datasetsById } from '../store/datasets.js';
import {
  deleteNetwork,
  insertNetwork,
  insertRevision,
  networksById,
  pageNetworks,
  pageRevisions,
  receiptsOfRevisions,
  revisionsById,
  wholeRevisionsById,
} from '../store/networks.js';
import { activeRuns } from '../store/runs.js';
import type { RevisionRow } from '../store/schema.js';
import { type Page, type ReplaceHeadInput, type RevisionRecord, ServiceError, type Services } from './api.js';
import type { Context } from './context.js';
import { badInput, checkName, checkSeed, DEFAULT_SEED, notFound } from './inputs.js';
import { compareImport } from './importComparison.js';
import { readModelFiles } from './modelFiles.js';
import { importReceipt } from './receipts.js';
import { readSource, type SourceFiles } from './networkSource.js';
import { loadModel, newRevision, requireNetwork, requireRevision, storeWeights, toRevision } from './models.js';

type NetworkServices = Pick<
  Services,
  | 'importNetwork'
  | 'networks'
  | 'networksById'
  | 'revisionsById'
  | 'revisionsOfNetworks'
  | 'receiptsOfRevisions'
  | 'layersOfRevisions'
  | 'replaceHead'
  | 'randomizeWeights'
  | 'freeze'
  | 'unfreeze'
  | 'setLearningRateFactor'
  | 'forkNetwork'
  | 'deleteNetwork'
>;

export function networkServices(context: Context): NetworkServices {
  const { queries, database, blobs } = context;

  const relink =
    (verb: string, change: (network: Network, selector: LayerSelector) => Network) =>
    (networkId: string, selector: LayerSelector) =>
      edit(context, networkId, async (revision) => {
        const network = networkFromJson(revision.networkJson);
        const summary = `${verb} ${describeSelection(network, selector)}`;
        return newRevision(change(network, selector), revision.weightsHash, revision.id, summary);
      });

  return {
    async importNetwork({ name, uploadIds, source, operationId, preprocessing, classes, architecture, reference }) {
      const checkedName = checkName(name);
      if ((uploadIds === undefined) === (source === undefined)) {
        throw badInput('An import takes uploadIds or a source, and not both.');
      }
      const { files, from, config } = await context.downloads.run(
        operationId,
        async (options): Promise<SourceFiles> =>
          source
            ? readSource(context, source, options)
            : { files: await readModelFiles(context, uploadIds ?? []), from: null, config: {} },
      );
      const found = importModel(files, {
        ...config,
        preprocessing: { ...config.preprocessing, ...preprocessing },
        classes: classes ?? config.classes,
        architecture,
      });
      const imported = {
        ...found,
        preprocessingSources: withConfig(found.preprocessingSources, config, preprocessing),
      };
      const { network, weights, format } = imported;
      const summary = `imported from ${format}${from ? `: ${from}` : ''}`;
      const revision = newRevision(network, await storeWeights(blobs, weights), null, summary);
      const outcome = await compareImport(context, revision, imported, files, reference);
      const first = { ...revision, receipt: JSON.stringify(importReceipt(files, imported, outcome)) };
      return database.transaction((transaction) => insertNetwork(transaction, checkedName, first));
    },

    networks: (page) => pageNetworks(queries, page),
    networksById: (ids) => networksById(queries, ids),

    async revisionsById(ids) {
      const rows = await revisionsById(queries, ids);
      return rows.map((row) => row && toRevision(row));
    },

    async revisionsOfNetworks(networkIds, page) {
      const pages = await pageRevisions(queries, networkIds, page);
      return pages.map((found): Page<RevisionRecord> => {
        return { ...found, items: found.items.map(({ cursor, node }) => ({ cursor, node: toRevision(node) })) };
      });
    },

    async receiptsOfRevisions(revisionIds) {
      const receipts = await receiptsOfRevisions(queries, revisionIds);
      return receipts.map((receipt) => (receipt === null ? null : (JSON.parse(receipt) as Receipt)));
    },

    async layersOfRevisions(revisionIds) {
      const rows = await wholeRevisionsById(queries, revisionIds);
      return rows.map((row) => (row ? summarizeNetwork(networkFromJson(row.networkJson)) : []));
    },

    replaceHead: (networkId, input) =>
      edit(context, networkId, async (revision) => {
        const classes = await headClasses(context, input);
        const { keepLayersAfterPooling, keepAuxiliaryHeads, dropout, hiddenUnits } = input;
        const seed = checkSeed(input.seed ?? DEFAULT_SEED);
        const options = { classes, keepLayersAfterPooling, keepAuxiliaryHeads, dropout, hiddenUnits, seed };
        const { network, weights } = replaceHead(await loadModel(blobs, revision), options);
        const hash = await storeWeights(blobs, weights);
        return newRevision(network, hash, revision.id, `replaced the head: ${classes.length} classes`);
      }),

    randomizeWeights: (networkId, seed = DEFAULT_SEED) =>
      edit(context, networkId, async (revision) => {
        const model = randomizeWeights(await loadModel(blobs, revision), checkSeed(seed));
        const hash = await storeWeights(blobs, model.weights);
        return newRevision(model.network, hash, revision.id, `random weights (seed ${seed}), nothing frozen`);
      }),

    freeze: relink('froze', freeze),
    unfreeze: relink('unfroze', unfreeze),
    setLearningRateFactor: (networkId, selector, factor) =>
      relink(`learning-rate factor ${factor} for`, (network, chosen) => setLearningRateFactor(network, chosen, factor))(
        networkId,
        selector,
      ),

    async forkNetwork(revisionId, name) {
      const checkedName = checkName(name);
      const { id, weightsHash, networkJson } = await requireRevision(context, revisionId);
      const first = newRevision(networkFromJson(networkJson), weightsHash, id, `forked from revision ${id}`);
      return database.transaction((transaction) => insertNetwork(transaction, checkedName, first));
    },

    async deleteNetwork(id) {
      return database.transaction(async (transaction) => {
        const active = await activeRuns(transaction, { networkId: id });
        if (active.length > 0) {
          const runs = active.slice(0, 5).join(', ');
          throw new ServiceError('CONFLICT', `The network ${id} is being trained (run ${runs}). Cancel that first.`);
        }
        return deleteNetwork(transaction, id);
      });
    },
  };
}

/** What a file beside the model says was not said by the request. */
function withConfig(
  sources: readonly PreprocessingSource[],
  config: PictureConfig,
  asked: Partial<Preprocessing> | undefined,
): PreprocessingSource[] {
  return sources.map(({ field, origin }) => {
    const isOfFile = config.preprocessing?.[field] !== undefined && asked?.[field] === undefined;
    return { field, origin: isOfFile ? 'file' : origin };
  });
}

function describeSelection(network: Network, selector: LayerSelector): string {
  const count = selectLayers(network, selector).size;
  const layers = `${count} layer${count === 1 ? '' : 's'}`;
  if ('all' in selector) return `all ${layers}`;
  if ('upTo' in selector) return `${layers} up to ${selector.upTo}`;
  if ('pattern' in selector) return `${layers} by the pattern ${selector.pattern}`;
  return `${layers}: ${selector.names.slice(0, 3).join(', ')}${selector.names.length > 3 ? ' ...' : ''}`;
}

async function headClasses({ queries }: Context, { classes, datasetId }: ReplaceHeadInput): Promise<readonly string[]> {
  if ((classes === undefined) === (datasetId === undefined)) {
    throw badInput('A new head needs either classes (labels) or datasetId (whose classes are taken), and not both.');
  }
  if (classes) return classes;
  const [dataset] = await datasetsById(queries, [datasetId as string]);
  if (!dataset) throw notFound('data set', datasetId as string);
  return JSON.parse(dataset.classes) as string[];
}

/** Makes a network's next revision out of its newest. CONFLICT where another edit came first. */
async function edit(
  context: Context,
  networkId: string,
  change: (revision: RevisionRow) => Promise<ReturnType<typeof newRevision>>,
): Promise<RevisionRecord> {
  const { headRevisionId } = await requireNetwork(context, networkId);
  const next = await change(await requireRevision(context, headRevisionId));
  return context.database.transaction(async (transaction) => {
    const [network] = await networksById(transaction, [networkId]);
    if (network?.headRevisionId !== headRevisionId) {
      throw new ServiceError(
        'CONFLICT',
        `The network ${networkId} was changed in the meantime. Look at it and try again.`,
      );
    }
    return toRevision(await insertRevision(transaction, networkId, next));
  });
}

import type { ReadOptions } from '../downloads/downloader.js';
import { DownloadError } from '../downloads/errors.js';
import { checkArchitecture } from '../models/architectures/registry.js';
import { ModelError } from '../models/errors.js';
import { initializeWeights } from '../models/initialize.js';
import { adaptInputChannels } from '../models/inputChannels.js';
import { resizeInput } from '../models/inputSize.js';
import type { Model } from '../models/graph.js';
import type { Network, Preprocessing } from '../models/network.js';
import { networkToJson } from '../models/networkJson.js';
import type { ZooEntry as Entry, ZooFile as File, ZooSource as Source } from '../models/zoo/manifest.js';
import { buildZooNetwork, readZooNetwork, type ZooModel, zooArchitecture } from '../models/zoo.js';
import { preprocessingSources, type Receipt } from '../models/receipt.js';
import { measurementsOf, saveMeasurement } from '../store/measurements.js';
import { insertNetwork } from '../store/networks.js';
import type { ZooMeasurementRow } from '../store/schema.js';
import {
  ServiceError,
  type ServiceErrorCode,
  type Services,
  type ZooEntry,
  type ZooMeasurement,
  type ZooMeasurementOutcome,
} from './api.js';
import type { Context } from './context.js';
import { toServiceError } from './errors.js';
import { badInput, checkName, checkSeed, DEFAULT_SEED } from './inputs.js';
import { request } from './jobRequest.js';
import { newRevision, storeWeights } from './models.js';
import { importReceipt } from './receipts.js';

type ZooServices = Pick<Services, 'zoo' | 'createNetwork' | 'measurementsOfZoo' | 'measureZooNetworks'>;

const MAX_MEASURED = 200;
const MEASURED_BATCH = 8;
const DEFAULT_SECONDS = 2;
const MAX_SECONDS = 60;

export function zooServices(context: Context): ZooServices {
  const { installation, database, queries, blobs, downloads } = context;
  const zoo = installation.zoo.map(toZooEntry);

  return {
    zoo: () => zoo,

    async createNetwork({ zooId, name, seed = DEFAULT_SEED, pretrained = true, operationId, ...input }) {
      const entry = findEntry(context, zooId);
      const checkedName = checkName(name ?? entry.name);
      checkSeed(seed);
      if (pretrained && !entry.weights) {
        throw badInput(`No weights are published for ${entry.id}. With pretrained: false it is made with random ones.`);
      }
      checkInput(entry, input);
      const read = await downloads.run(operationId, async (options) =>
        pretrained ? readPretrained(context, entry, options) : buildZooNetwork(entry, seed),
      );
      const fitted = fitInput(read, input);
      const model =
        !pretrained && fitted !== read ? { ...fitted, weights: initializeWeights(fitted.network, seed) } : fitted;
      const summary = pretrained ? `pretrained weights of ${entry.id}` : `${entry.id}, random weights (seed ${seed})`;
      const revision = newRevision(model.network, await storeWeights(blobs, model.weights), null, summary);
      const receipt = 'conversion' in read ? JSON.stringify(zooReceipt({ ...read, ...model }, input)) : null;
      const first = { ...revision, receipt };
      return database.transaction((transaction) => insertNetwork(transaction, checkedName, first));
    },

    async measurementsOfZoo(zooIds) {
      return (await measurementsOf(queries, zooIds)).map((rows) => rows.map(toMeasurement));
    },

    async measureZooNetworks({ zooIds, seconds = DEFAULT_SECONDS }) {
      if (zooIds.length < 1 || zooIds.length > MAX_MEASURED) {
        throw badInput(`A measurement takes 1 to ${MAX_MEASURED} networks; got ${zooIds.length}.`);
      }
      if (!(seconds > 0 && seconds <= MAX_SECONDS)) {
        throw badInput(`seconds is above 0 and at most ${MAX_SECONDS}; got ${seconds}.`);
      }
      const entries = zooIds.map((id) => findEntry(context, id));
      const outcomes: ZooMeasurementOutcome[] = [];
      for (const entry of entries) outcomes.push(await measure(context, entry, seconds));
      return outcomes;
    },
  };
}

/** Codes after which the next network would fail in the same way. */
const WORKER_CODES: readonly ServiceErrorCode[] = ['WORKER_UNAVAILABLE', 'TIMEOUT', 'LIMIT_EXCEEDED'];

async function measure(context: Context, entry: Entry, seconds: number): Promise<ZooMeasurementOutcome> {
  try {
    const networkJson = networkToJson(await measurableNetwork(context, entry));
    const speed = await request(context, { kind: 'measure', networkJson, batchSize: MEASURED_BATCH, seconds });
    const device = await context.supervisor.ready();
    const row = {
      zooId: entry.id,
      adapter: device.description || `${device.vendor} ${device.architecture}`.trim(),
      isSoftware: device.isSoftware ? 1 : 0,
      ...speed,
      codeVersion: context.installation.version,
      measuredAt: Date.now(),
    };
    await saveMeasurement(context.queries, row);
    return { zooId: entry.id, measurement: toMeasurement(row), error: null };
  } catch (error) {
    const known = toServiceError(error);
    if (!(known instanceof ServiceError) || WORKER_CODES.includes(known.code)) throw known;
    return { zooId: entry.id, measurement: null, error: known.message };
  }
}

/** What predicts: of weights that are cut, the part that is taken. Those lie with Graft; nothing is downloaded for a measurement. */
async function measurableNetwork(context: Context, entry: Entry): Promise<Network> {
  if (!entry.weights?.cutAfter) return zooArchitecture(entry);
  return (await readPretrained(context, entry, {})).network;
}

function toMeasurement({ isSoftware, ...row }: ZooMeasurementRow): ZooMeasurement {
  return { ...row, isSoftware: isSoftware === 1 };
}

/** The manifest says how pictures are prepared, of these very weights. */
function zooReceipt({ files, network, conversion }: ZooModel, { inputSize, inChannels }: InputOptions): Receipt {
  const asked: readonly (keyof Preprocessing)[] = [
    ...(inputSize === undefined ? [] : (['height', 'width'] as const)),
    ...(inChannels === undefined ? [] : (['channelOrder'] as const)),
  ];
  const sources = preprocessingSources((field) => (asked.includes(field) ? 'request' : 'zoo'));
  const imported = { network, conversion, preprocessingSources: sources };
  return importReceipt(files, imported, { notCompared: 'The zoo has no reference outputs for these weights.' });
}

interface InputOptions {
  readonly inputSize?: number;
  readonly inChannels?: number;
}

/** Refuses what the architecture cannot take before its weights are made or fetched. */
function checkInput({ architecture }: Entry, { inputSize, inChannels }: InputOptions): void {
  if (inputSize === undefined && inChannels === undefined) return;
  checkArchitecture(architecture, { inputSize, inChannels });
}

/** The model for pictures of another size and number of channels, where these are given. */
function fitInput(model: Model, { inputSize, inChannels }: InputOptions): Model {
  const resized = inputSize === undefined ? model : resizeInput(model, inputSize, inputSize);
  return inChannels === undefined ? resized : adaptInputChannels(resized, inChannels);
}

function findEntry({ installation: { zoo } }: Context, zooId: string): Entry {
  const entry = zoo.find(({ id }) => id === zooId);
  if (entry) return entry;
  const known = zoo.map(({ id }) => id).join(', ');
  throw new ServiceError('NOT_FOUND', `The zoo has no network ${JSON.stringify(zooId.slice(0, 80))}; it has ${known}.`);
}

async function readPretrained(context: Context, entry: Entry, options: ReadOptions): Promise<ZooModel> {
  try {
    return await readZooNetwork(entry, (file) => readFile(context, file, options));
  } catch (error) {
    // What the zoo's own file holds is no fault of the client.
    if (!(error instanceof ModelError)) throw error;
    throw new ServiceError('UNSUPPORTED_FILE', `The weights of ${entry.id} cannot be read: ${error.message}`, {
      cause: error,
    });
  }
}

/** Files that come with Graft are read where they lie; the addresses of the others are tried one after another. */
async function readFile({ installation, downloads, config }: Context, file: File, options: ReadOptions) {
  const local = file.sources.find((source) => source.kind !== 'url');
  if (local?.kind === 'npm') return installation.readPackageFile(`${local.package}/${local.path}`);
  if (local?.kind === 'file') return installation.readWeightsFile(local.path);
  const urls = file.sources.flatMap((source) => (source.kind === 'url' ? [source.url] : []));
  const mirror = config.zooMirror && `${config.zooMirror.replace(/\/+$/, '')}/${file.name}`;
  const request = {
    name: file.name,
    addresses: [...(mirror ? [mirror] : []), ...urls].map((url) => ({ url, isRestricted: false })),
    digest: { algorithm: 'sha256', hex: file.sha256 },
    size: { bytes: file.bytes, tolerance: file.bytesTolerance },
  } as const;
  try {
    return await downloads.downloader.read(request, options);
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    const advice = 'GRAFT_ZOO_MIRROR names a server of your own. Random weights (pretrained: false) need no download.';
    throw new DownloadError(error.code, `${error.message} ${advice}`, { cause: error });
  }
}

const locationOf = (source: Source): string =>
  source.kind === 'url' ? source.url : source.kind === 'npm' ? `${source.package}/${source.path}` : source.path;

function toZooEntry({ weights, labels: _labels, classes, ...entry }: Entry): ZooEntry {
  const files = (weights?.files ?? []).map(({ name, bytes, sha256, sources }) => ({
    name,
    bytes,
    sha256,
    sources: sources.map((source) => ({ kind: source.kind, location: locationOf(source) })),
  }));
  const [first] = files[0]?.sources ?? [];
  return {
    ...entry,
    classCount: classes,
    pretrained: weights !== null,
    weights: weights?.name ?? null,
    source: first ? (first.kind === 'url' ? first.location : `${first.kind}:${first.location}`) : null,
    files,
    license: weights?.license ?? null,
    licenseNote: weights?.licenseNote ?? null,
    bytes: weights ? files.reduce((sum, { bytes }) => sum + bytes, 0) : null,
    top1: weights?.top1 ?? null,
    top5: weights?.top5 ?? null,
  };
}

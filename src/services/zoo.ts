import type { ReadOptions } from '../downloads/downloader.js';
import { DownloadError } from '../downloads/errors.js';
import { ModelError } from '../models/errors.js';
import type { Model } from '../models/graph.js';
import type { ZooEntry as Entry, ZooFile as File, ZooSource as Source } from '../models/zoo/manifest.js';
import { buildZooNetwork, readZooNetwork } from '../models/zoo.js';
import { insertNetwork } from '../store/networks.js';
import { ServiceError, type Services, type ZooEntry } from './api.js';
import type { Context } from './context.js';
import { checkName, checkSeed, DEFAULT_SEED } from './inputs.js';
import { newRevision, storeWeights } from './models.js';

type ZooServices = Pick<Services, 'zoo' | 'createNetwork'>;

export function zooServices(context: Context): ZooServices {
  const { installation, database, blobs, downloads } = context;
  const zoo = installation.zoo.map(toZooEntry);

  return {
    zoo: () => zoo,

    async createNetwork({ zooId, name, seed = DEFAULT_SEED, pretrained = true, operationId }) {
      const entry = findEntry(context, zooId);
      const checkedName = checkName(name ?? entry.name);
      checkSeed(seed);
      const isRandom = !pretrained || !entry.weights;
      const model = await downloads.run(operationId, (options) =>
        isRandom ? Promise.resolve(buildZooNetwork(entry, seed)) : readPretrained(context, entry, options),
      );
      const summary = isRandom ? `${entry.id}, random weights (seed ${seed})` : `pretrained weights of ${entry.id}`;
      const first = newRevision(model.network, await storeWeights(blobs, model.weights), null, summary);
      return database.transaction((transaction) => insertNetwork(transaction, checkedName, first));
    },
  };
}

function findEntry({ installation: { zoo } }: Context, zooId: string): Entry {
  const entry = zoo.find(({ id }) => id === zooId);
  if (entry) return entry;
  const known = zoo.map(({ id }) => id).join(', ');
  throw new ServiceError('NOT_FOUND', `The zoo has no network ${JSON.stringify(zooId.slice(0, 80))}; it has ${known}.`);
}

async function readPretrained(context: Context, entry: Entry, options: ReadOptions): Promise<Model> {
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

import DataLoader from 'dataloader';
import type {
  ClassCount,
  DatasetRecord,
  ExportRecord,
  LayerSummary,
  NetworkRecord,
  Page,
  PageRequest,
  PictureRecord,
  RevisionRecord,
  RunEvent,
  RunRecord,
  Services,
  ZooMeasurement,
} from '../services/api.js';
import type { Receipt } from '../models/receipt.js';
import type { Split } from '../training/types.js';

export interface PictureFilter {
  readonly split?: Split;
  readonly label?: string;
}

/** Every load that an item of a list may cause, batched: a list of n items costs one call, not n. */
export interface Loaders {
  readonly network: DataLoader<string, NetworkRecord | null>;
  readonly revision: DataLoader<string, RevisionRecord | null>;
  readonly dataset: DataLoader<string, DatasetRecord | null>;
  readonly run: DataLoader<string, RunRecord | null>;
  readonly receipt: DataLoader<string, Receipt | null>;
  readonly measurements: DataLoader<string, readonly ZooMeasurement[]>;
  readonly exports: DataLoader<string, readonly ExportRecord[]>;
  readonly layers: DataLoader<string, readonly LayerSummary[]>;
  readonly classCounts: DataLoader<string, readonly ClassCount[]>;
  readonly runEvents: DataLoader<string, readonly RunEvent[]>;
  /** One loader for each page and filter asked for, because those are part of the statement. */
  revisionsOfNetworks(page: PageRequest): DataLoader<string, Page<RevisionRecord>>;
  picturesOfDatasets(filter: PictureFilter, page: PageRequest): DataLoader<string, Page<PictureRecord>>;
  /** Forgets what was loaded: to be called after a mutation. */
  clear(): void;
}

/**
 * Loaders for one operation. Subscriptions live long, so `cache: false` makes theirs batch only and never remember.
 */
export function createLoaders(services: Services, options: { readonly cache: boolean }): Loaders {
  const all: { clearAll(): unknown }[] = [];
  function loader<V>(batch: (ids: readonly string[]) => Promise<ArrayLike<V>>): DataLoader<string, V> {
    // Without its cache DataLoader hands over duplicates; services are asked for each id once.
    const created = new DataLoader<string, V>(async (ids) => {
      const unique = [...new Set(ids)];
      const values = await batch(unique);
      const byId = new Map(unique.map((id, index) => [id, values[index] as V]));
      return ids.map((id) => byId.get(id) as V);
    }, options);
    all.push(created);
    return created;
  }
  function keyed<V>(byKey: Map<string, DataLoader<string, V>>, key: string, make: () => DataLoader<string, V>) {
    const found = byKey.get(key) ?? make();
    byKey.set(key, found);
    return found;
  }
  const revisionPages = new Map<string, DataLoader<string, Page<RevisionRecord>>>();
  const picturePages = new Map<string, DataLoader<string, Page<PictureRecord>>>();
  return {
    network: loader((ids) => services.networksById(ids)),
    revision: loader((ids) => services.revisionsById(ids)),
    dataset: loader((ids) => services.datasetsById(ids)),
    run: loader((ids) => services.runsById(ids)),
    receipt: loader((ids) => services.receiptsOfRevisions(ids)),
    measurements: loader((ids) => services.measurementsOfZoo(ids)),
    exports: loader((ids) => services.exportsOfRevisions(ids)),
    layers: loader((ids) => services.layersOfRevisions(ids)),
    classCounts: loader((ids) => services.classCountsOfDatasets(ids)),
    runEvents: loader((ids) => services.eventsOfRuns(ids)),
    revisionsOfNetworks: (page) =>
      keyed(revisionPages, JSON.stringify(page), () => loader((ids) => services.revisionsOfNetworks(ids, page))),
    picturesOfDatasets: (filter, page) =>
      keyed(picturePages, JSON.stringify([filter, page]), () =>
        loader((ids) => services.picturesOfDatasets(ids, filter, page)),
      ),
    clear() {
      for (const each of all) each.clearAll();
    },
  };
}

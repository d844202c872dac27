import { readSafetensors, writeSafetensors } from '../models/formats/safetensors.js';
import type { Model } from '../models/graph.js';
import type { Network, Preprocessing, Weights } from '../models/network.js';
import { networkFromJson, networkToJson } from '../models/networkJson.js';
import type { BlobStore } from '../store/blobs.js';
import { type NewRevision, networksById, type RevisionHead, wholeRevisionsById } from '../store/networks.js';
import type { NetworkRow, RevisionRow } from '../store/schema.js';
import type { RevisionRecord } from './api.js';
import type { Context } from './context.js';
import { badInput, notFound } from './inputs.js';

/** Stores weights alone, without the network, so that revisions that differ in their layers only share the blob. */
export async function storeWeights(blobs: BlobStore, weights: Weights): Promise<string> {
  const { hash } = await blobs.put(writeSafetensors({ metadata: new Map(), tensors: weights }));
  return hash;
}

export async function loadWeights(blobs: BlobStore, hash: string): Promise<Weights> {
  return readSafetensors(await blobs.read(hash)).tensors;
}

export async function loadModel(blobs: BlobStore, revision: RevisionRow): Promise<Model> {
  return { network: networkFromJson(revision.networkJson), weights: await loadWeights(blobs, revision.weightsHash) };
}

export function newRevision(
  network: Network,
  weightsHash: string,
  parentId: string | null,
  summary: string,
): NewRevision {
  return {
    parentId,
    summary,
    architecture: network.architecture,
    classes: JSON.stringify(network.classes),
    preprocessing: JSON.stringify(network.preprocessing),
    networkJson: networkToJson(network),
    weightsHash,
  };
}

export function toRevision(row: RevisionHead): RevisionRecord {
  return {
    id: row.id,
    networkId: row.networkId,
    parentId: row.parentId,
    summary: row.summary,
    architecture: row.architecture,
    classes: JSON.parse(row.classes) as string[] | null,
    preprocessing: JSON.parse(row.preprocessing) as Preprocessing,
    weightsHash: row.weightsHash,
    createdAt: row.createdAt,
  };
}

export async function requireNetwork({ queries }: Context, id: string): Promise<NetworkRow> {
  const [network] = await networksById(queries, [id]);
  if (!network) throw notFound('network', id);
  return network;
}

export async function requireRevision({ queries }: Context, id: string): Promise<RevisionRow> {
  const [revision] = await wholeRevisionsById(queries, [id]);
  if (!revision) throw notFound('revision', id);
  return revision;
}

/** The revision named, which must be one of the network, or the network's newest. */
export async function chooseRevision(
  context: Context,
  networkId: string,
  revisionId: string | null | undefined,
): Promise<RevisionRow> {
  const network = await requireNetwork(context, networkId);
  const revision = await requireRevision(context, revisionId ?? network.headRevisionId);
  if (revision.networkId !== networkId) {
    throw badInput(`The revision ${revision.id} belongs to the network ${revision.networkId}, not to ${networkId}.`);
  }
  return revision;
}

import type { Digest } from './cacheFolder.js';
import { DownloadError } from './errors.js';
import type { HttpClient } from './httpClient.js';

/** A repository of models on the Hugging Face hub, https://huggingface.co/docs/hub/api. */
export interface HubRepository {
  /** `owner/name`. */
  readonly repository: string;
  /** A branch, a tag or a commit. */
  readonly revision: string;
}

export interface HubSettings {
  readonly url: string;
  readonly token: string | null;
}

export interface HubFile {
  readonly path: string;
  readonly bytes: number | null;
  /** SHA-256 of large files, git's own hash of the others; null where the hub gives none. */
  readonly digest: Digest | null;
}

export interface HubListing {
  /** What the revision stands for now: files of a commit never change. */
  readonly commit: string;
  readonly files: readonly HubFile[];
}

const MAX_FILES = 10_000;
const SHOWN = 20;

function bad(message: string): DownloadError {
  return new DownloadError('INVALID_URL', message);
}

function checkRepository({ repository, revision }: HubRepository): void {
  const isName = /^(?:[\w][\w.-]{0,95}\/)?[\w][\w.-]{0,95}$/.test(repository) && !repository.includes('..');
  if (!isName) throw bad(`A repository of the hub is owner/name; got ${JSON.stringify(repository.slice(0, 200))}.`);
  if (!/^[\w][\w./-]{0,199}$/.test(revision) || revision.includes('..')) {
    throw bad(`A revision is a branch, a tag or a commit; got ${JSON.stringify(revision.slice(0, 200))}.`);
  }
}

const base = ({ url }: HubSettings): string => url.replace(/\/+$/, '');

export const hubAuthorization = ({ token }: HubSettings): string | undefined => (token ? `Bearer ${token}` : undefined);

function fileOf(sibling: unknown): HubFile | null {
  const { rfilename, size, blobId, lfs } = (sibling ?? {}) as Record<string, unknown>;
  if (typeof rfilename !== 'string') return null;
  const sha256 = (lfs as { sha256?: unknown } | null | undefined)?.sha256;
  const isHex = (value: unknown, digits: number): value is string =>
    typeof value === 'string' && value.length === digits && /^[0-9a-f]+$/.test(value);
  const digest: Digest | null = isHex(sha256, 64)
    ? { algorithm: 'sha256', hex: sha256 }
    : isHex(blobId, 40) && !lfs
      ? { algorithm: 'gitBlob', hex: blobId }
      : null;
  return {
    path: rfilename,
    bytes: Number.isSafeInteger(size) && (size as number) >= 0 ? (size as number) : null,
    digest,
  };
}

/** What a revision of a repository holds. Throws DownloadError. */
export async function listRepository(
  client: HttpClient,
  settings: HubSettings,
  asked: HubRepository,
  signal?: AbortSignal,
): Promise<HubListing> {
  checkRepository(asked);
  const url = `${base(settings)}/api/models/${asked.repository}/revision/${encodeURIComponent(asked.revision)}?blobs=true`;
  const authorization = hubAuthorization(settings);
  const answer = (await client.json({ url, isRestricted: true, authorization, signal })) as Record<
    string,
    unknown
  > | null;
  const { sha, siblings } = answer ?? {};
  if (typeof sha !== 'string' || !/^[0-9a-f]{40}$/.test(sha) || !Array.isArray(siblings)) {
    throw new DownloadError('REFUSED', `The hub's answer about ${asked.repository} is not what was expected.`);
  }
  const files = siblings.slice(0, MAX_FILES).flatMap((sibling) => fileOf(sibling) ?? []);
  return { commit: sha, files };
}

/** Where a file of a listing is fetched from. */
export function hubFileUrl(settings: HubSettings, { repository }: HubRepository, commit: string, path: string): string {
  return `${base(settings)}/${repository}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
}

/** Names under which models are published, the ones that say most first. */
const USUAL: readonly RegExp[] = [
  /^model\.safetensors$/,
  /^model\.safetensors\.index\.json$/,
  /^(?:onnx\/)?model\.onnx$/,
  /^[^/]+\.safetensors$/,
  /\.onnx$/,
  /\.keras$/,
  /(?:^|\/)model\.json$/,
  /^pytorch_model\.bin$/,
  /\.(?:pth|pt|h5|tflite)$/,
];

/** The file named, or the one that holds the model by its name. Throws NOT_FOUND, saying what there is. */
export function chooseHubFile({ files }: HubListing, { repository }: HubRepository, file?: string): HubFile {
  const shown = files.slice(0, SHOWN).map(({ path }) => path);
  const there = `It has ${shown.join(', ') || 'no files'}${files.length > SHOWN ? ' and others' : ''}.`;
  if (file !== undefined) {
    const found = files.find(({ path }) => path === file);
    if (found) return found;
    throw new DownloadError('NOT_FOUND', `${repository} has no file ${JSON.stringify(file.slice(0, 200))}. ${there}`);
  }
  for (const pattern of USUAL) {
    const matching = files.filter(({ path }) => pattern.test(path));
    if (matching.length === 1) return matching[0] as HubFile;
    if (matching.length > 1) {
      const names = matching.slice(0, SHOWN).map(({ path }) => path);
      throw new DownloadError('NOT_FOUND', `${repository} has several models; name a file: ${names.join(', ')}.`);
    }
  }
  throw new DownloadError('NOT_FOUND', `${repository} has no file whose name is that of a model; name one. ${there}`);
}

import { createHash } from 'node:crypto';
import type { Digest } from '../downloads/cacheFolder.js';
import { namedCompanions } from '../downloads/companions.js';
import type { ReadOptions } from '../downloads/downloader.js';
import { DownloadError } from '../downloads/errors.js';
import { parseUrl, shortUrl } from '../downloads/httpClient.js';
import { chooseHubFile, type HubFile, hubAuthorization, hubFileUrl, listRepository } from '../downloads/huggingFace.js';
import { configuredRegistry, findTarball, unpackFiles } from '../downloads/npm.js';
import { CONFIG_FILES, type PictureConfig, readPictureConfig } from '../models/formats/pictureConfig.js';
import type { NetworkSource } from './api.js';
import type { Context } from './context.js';
import { badInput, displayName } from './inputs.js';
import { Collection, MAX_FILES } from './modelFiles.js';

/** Files of a model, by name. */
export interface SourceFiles {
  readonly files: Record<string, Uint8Array>;
  /** Where they came from, for people; null: uploads. */
  readonly from: string | null;
  /** What the publisher says of pictures and labels. */
  readonly config: PictureConfig;
}

/** A configuration is a page of text, with the labels of many classes some hundred kilobytes. */
const MAX_CONFIG_BYTES = 4 * 2 ** 20;

/** Stands for an address in the names of unfinished downloads. */
const keyOf = (text: string): string => createHash('sha256').update(text).digest('hex').slice(0, 24);

const folderOf = (path: string): string => path.slice(0, path.lastIndexOf('/') + 1);

/** Fetches a network's files from where a client says. Throws DownloadError and ServiceError. */
export async function readSource(context: Context, source: NetworkSource, options: ReadOptions): Promise<SourceFiles> {
  const given = [source.url, source.huggingFace, source.npm].filter((part) => part !== undefined);
  if (given.length !== 1) throw badInput('A source is exactly one of url, huggingFace and npm.');
  if (source.sha256 !== undefined && source.url === undefined) throw badInput('sha256 belongs to a url.');
  if (source.url !== undefined) return readUrl(context, source.url, source.sha256 ?? null, options);
  if (source.huggingFace) return readHub(context, source.huggingFace, options);
  return readNpm(context, source.npm as NonNullable<NetworkSource['npm']>, options);
}

/** One address, and the shards beside it that its JSON names. */
async function readUrl(
  context: Context,
  text: string,
  sha256: string | null,
  options: ReadOptions,
): Promise<SourceFiles> {
  const url = parseUrl(text);
  const hex = sha256?.toLowerCase();
  if (hex !== undefined && !/^[0-9a-f]{64}$/.test(hex)) throw badInput('sha256 is 64 hexadecimal digits.');
  const collected = new Collection(context.config.maxUploadBytes);
  const read = (address: string, digest: Digest | null) =>
    context.downloads.downloader.read(
      {
        name: `url-${keyOf(address)}`,
        title: shortUrl(address),
        addresses: [{ url: address, isRestricted: true }],
        digest,
        size: null,
      },
      options,
    );
  const first = await read(url.href, hex === undefined ? null : { algorithm: 'sha256', hex });
  await collected.addFile(nameOf(url), first);
  for (const path of namedCompanions(first)) {
    const beside = new URL(url);
    beside.pathname = folderOf(url.pathname) + path.split('/').map(encodeURIComponent).join('/');
    await collected.addFile(path, await read(beside.href, null));
  }
  return { files: collected.files, from: shortUrl(url.href), config: {} };
}

function nameOf({ pathname }: URL): string {
  const last = pathname.slice(pathname.lastIndexOf('/') + 1);
  try {
    return displayName(decodeURIComponent(last));
  } catch {
    return displayName(last);
  }
}

/** One file of a repository, with the files that belong to it: shards that it names, and an ONNX file's external data. */
async function readHub(
  context: Context,
  source: NonNullable<NetworkSource['huggingFace']>,
  options: ReadOptions,
): Promise<SourceFiles> {
  const { downloads, config: settings } = context;
  const hub = { url: settings.huggingFaceUrl, token: settings.huggingFaceToken };
  const asked = { repository: source.repository, revision: source.revision ?? 'main' };
  const listing = await listRepository(downloads.client, hub, asked, options.signal);
  const main = chooseHubFile(listing, asked, source.file);
  const collected = new Collection(settings.maxUploadBytes);
  const read = (file: HubFile) => {
    const url = hubFileUrl(hub, asked, listing.commit, file.path);
    return downloads.downloader.read(
      {
        name: `hub-${keyOf(`${asked.repository} ${listing.commit} ${file.path}`)}`,
        title: `${asked.repository}/${file.path}`,
        addresses: [{ url, isRestricted: true, authorization: hubAuthorization(hub) }],
        digest: file.digest,
        size: file.bytes === null ? null : { bytes: file.bytes, tolerance: 0 },
      },
      options,
    );
  };
  const configs = CONFIG_FILES.flatMap((name) => listing.files.find(({ path }) => path === name) ?? []);
  let config: PictureConfig = {};
  for (const file of configs) {
    if ((file.bytes ?? MAX_CONFIG_BYTES) < MAX_CONFIG_BYTES)
      config = { ...config, ...readPictureConfig(await read(file)) };
  }
  const first = await read(main);
  await collected.addFile(main.path.slice(folderOf(main.path).length), first);
  const named = namedCompanions(first).map((path) => folderOf(main.path) + path);
  const external = listing.files.filter(({ path }) => isExternalData(main, path));
  const missing = named.find((path) => !listing.files.some((file) => file.path === path));
  if (missing !== undefined) {
    throw new DownloadError('NOT_FOUND', `${asked.repository} has no file ${missing}, which ${main.path} names.`);
  }
  for (const file of [...listing.files.filter(({ path }) => named.includes(path)), ...external]) {
    await collected.addFile(file.path.slice(folderOf(main.path).length), await read(file));
  }
  return { files: collected.files, from: `${asked.repository}/${main.path} of the Hugging Face hub`, config };
}

/** `model.onnx_data` or `model.onnx.data` beside `model.onnx`, as exporters name it. */
function isExternalData(main: HubFile, path: string): boolean {
  return main.path.endsWith('.onnx') && path !== main.path && path.startsWith(main.path);
}

/** A file or a folder of a package. */
async function readNpm(
  context: Context,
  source: NonNullable<NetworkSource['npm']>,
  options: ReadOptions,
): Promise<SourceFiles> {
  const { config, downloads } = context;
  const registry = config.npmRegistry ?? (await configuredRegistry());
  // npm's own setting is the operator's too.
  downloads.client.trust(registry);
  const asked = { name: source.package, version: source.version ?? 'latest' };
  const { url, version, digest } = await findTarball(downloads.client, registry, asked, options.signal);
  const tarball = await downloads.downloader.read(
    {
      name: `npm-${keyOf(`${asked.name} ${version}`)}.tgz`,
      title: `The npm package ${asked.name} ${version}`,
      addresses: [{ url, isRestricted: true }],
      digest,
      size: null,
    },
    options,
  );
  const limits = { maxBytes: config.maxUploadBytes, maxFiles: MAX_FILES };
  const collected = new Collection(config.maxUploadBytes);
  for (const [name, content] of Object.entries(await unpackFiles(tarball, source.path, limits))) {
    await collected.addFile(name, content);
  }
  return { files: collected.files, from: `${source.path} of the npm package ${asked.name} ${version}`, config: {} };
}

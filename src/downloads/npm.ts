import { execFile } from 'node:child_process';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import type { Digest } from './cacheFolder.js';
import { DownloadError } from './errors.js';
import type { HttpClient } from './httpClient.js';

/** A version of a package on an npm registry. */
export interface NpmPackage {
  readonly name: string;
  /** A version or a tag such as `latest`. */
  readonly version: string;
}

export interface NpmTarball {
  readonly url: string;
  readonly version: string;
  readonly digest: Digest;
}

export interface UnpackLimits {
  /** Of the files that are taken. */
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** A tarball that unpacks to more, all its files taken together, is a bomb. */
const MAX_UNPACKED_BYTES = 4 * 2 ** 30;
const MAX_ENTRIES = 100_000;

/** The registry that npm on this machine is set to use. Throws REFUSED where there is no npm. */
export async function configuredRegistry(): Promise<string> {
  try {
    const isWindows = process.platform === 'win32';
    const { stdout } = await promisify(execFile)('npm', ['config', 'get', 'registry'], {
      timeout: 30_000,
      shell: isWindows,
    });
    const url = stdout.trim();
    if (URL.canParse(url)) return url;
    throw new Error(`npm says ${JSON.stringify(url.slice(0, 100))}`);
  } catch (cause) {
    const message = 'npm on this machine does not say which registry it uses. Set GRAFT_NPM_REGISTRY.';
    throw new DownloadError('REFUSED', message, { cause });
  }
}

function integrityOf({ integrity, shasum }: Record<string, unknown>): Digest | null {
  const sha512 =
    typeof integrity === 'string' ? /(?:^|\s)sha512-([A-Za-z0-9+/]{86}==)/.exec(integrity)?.[1] : undefined;
  if (sha512) return { algorithm: 'sha512', hex: Buffer.from(sha512, 'base64').toString('hex') };
  return typeof shasum === 'string' && /^[0-9a-f]{40}$/.test(shasum) ? { algorithm: 'sha1', hex: shasum } : null;
}

/** Where a version's tarball lies and what its hash is. Throws DownloadError. */
export async function findTarball(
  client: HttpClient,
  registry: string,
  { name, version }: NpmPackage,
  signal?: AbortSignal,
): Promise<NpmTarball> {
  if (name.length > 214 || !/^(?:@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/i.test(name)) {
    throw new DownloadError('INVALID_URL', `${JSON.stringify(name.slice(0, 214))} is not the name of an npm package.`);
  }
  if (!/^[\w.+-]{1,100}$/.test(version)) {
    const text = `A version of a package is like 4.2.1 or latest; got ${JSON.stringify(version.slice(0, 100))}.`;
    throw new DownloadError('INVALID_URL', text);
  }
  const url = `${registry.replace(/\/+$/, '')}/${name.replace('/', '%2f')}/${encodeURIComponent(version)}`;
  const answer = (await client.json({ url, isRestricted: true, signal })) as Record<string, unknown> | null;
  const dist = (answer?.dist ?? {}) as Record<string, unknown>;
  const digest = integrityOf(dist);
  if (typeof dist.tarball !== 'string' || typeof answer?.version !== 'string' || !digest) {
    throw new DownloadError(
      'REFUSED',
      `The registry's answer about ${name} ${version} names no tarball with its hash.`,
    );
  }
  return { url: dist.tarball, version: answer.version, digest };
}

/**
 * The files of a tarball at `path`, a file or a folder inside the package; links are passed over. Nothing is written to disk. Throws
 * DownloadError: NOT_FOUND, TOO_LARGE, DAMAGED.
 */
export async function unpackFiles(
  tarball: Uint8Array,
  path: string,
  limits: UnpackLimits,
): Promise<Record<string, Uint8Array>> {
  const wanted = path.replace(/^\.?\/+|\/+$/g, '');
  const files: Record<string, Uint8Array> = Object.create(null) as Record<string, Uint8Array>;
  let entries = 0;
  let all = 0;
  let taken = 0;
  const tooLarge = (what: string) => new DownloadError('TOO_LARGE', `The package ${what}.`);
  const tar = extract();
  tar.on('entry', (header, stream, next) => {
    // What npm packs lies in one folder, `package` by custom.
    const name = header.name.split('/').slice(1).join('/');
    const isWanted = header.type === 'file' && (name === wanted || wanted === '' || name.startsWith(`${wanted}/`));
    const chunks: Buffer[] = [];
    if (++entries > MAX_ENTRIES) tar.destroy(tooLarge(`has more than ${MAX_ENTRIES} files`));
    if (isWanted && Object.keys(files).length >= limits.maxFiles) {
      tar.destroy(tooLarge(`has more than ${limits.maxFiles} files at ${path}; name one of them`));
    }
    stream.on('data', (data: unknown) => {
      const chunk = data as Buffer;
      all += chunk.length;
      if (all > MAX_UNPACKED_BYTES) tar.destroy(tooLarge(`unpacks to more than ${MAX_UNPACKED_BYTES} bytes`));
      if (!isWanted) return;
      taken += chunk.length;
      if (taken > limits.maxBytes) tar.destroy(tooLarge(`has more than ${limits.maxBytes} bytes at ${path}`));
      chunks.push(chunk);
    });
    stream.on('error', () => undefined);
    stream.on('end', () => {
      if (isWanted) files[name] = Buffer.concat(chunks);
      next();
    });
  });
  try {
    await pipeline(
      Readable.from([Buffer.from(tarball.buffer, tarball.byteOffset, tarball.length)]),
      createGunzip(),
      tar,
    );
  } catch (error) {
    if (error instanceof DownloadError) throw error;
    const message = `The package's tarball cannot be unpacked: ${(error as Error).message}.`;
    throw new DownloadError('DAMAGED', message, { cause: error });
  }
  if (Object.keys(files).length === 0) {
    throw new DownloadError('NOT_FOUND', `The package has no file or folder ${JSON.stringify(path.slice(0, 200))}.`);
  }
  return files;
}

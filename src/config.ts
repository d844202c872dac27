import { statSync } from 'node:fs';
import { resolve } from 'node:path';

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

/** Everything that a person may set about a server; see docs/configuration.md. */
export interface Config {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  /** Absolute path: database, blobs and cached features. Made at the start where it is missing. */
  readonly dataDir: string;
  /** A PostgreSQL server's database; null: an SQLite file in `dataDir`. It holds a password: never log it. */
  readonly databaseUrl: string | null;
  /** Absolute path of the only folder that data sets may be imported from; null: none may. */
  readonly importRoot: string | null;
  readonly logLevel: LogLevel;
  /** Whether anybody may ask for the schema. */
  readonly introspection: boolean;
  /** Whether browsers get Apollo's page at /graphql. */
  readonly landingPage: boolean;
  /** Part of the name of the adapter to compute on; null: the fastest. */
  readonly adapter: string | null;
  /** Whether kernels are measured on the adapter: `auto` on GPUs only. */
  readonly tuning: 'auto' | 'on' | 'off';
  /** Longest time for measuring kernels before one run. */
  readonly tuningBudgetMs: number;
  /** Bytes of one uploaded file. */
  readonly maxUploadBytes: number;
  /** Files in one upload request. */
  readonly maxUploadFiles: number;
  /** Pictures in one data set. */
  readonly maxDatasetPictures: number;
  /** Runs that may wait in the queue. */
  readonly maxQueuedRuns: number;
  /** Bytes on disk for features of frozen layers; 0 keeps none beyond a run. */
  readonly featureCacheBytes: number;
  /** Absolute path of the cache of downloaded files; null: `downloads` in `dataDir`. */
  readonly downloadDir: string | null;
  /** Bytes on disk for downloaded files that are kept. */
  readonly downloadCacheBytes: number;
  /** Bytes of one downloaded file. */
  readonly maxDownloadBytes: number;
  /** A connection that brings less than 64 KiB in this time is given up, and tried again. */
  readonly downloadStallMs: number;
  /** Whether clients may name addresses inside this machine and its network. */
  readonly privateDownloads: 'off' | 'on';
  /** Address that the zoo's files are looked for below, by name, before their own addresses; null: none. */
  readonly zooMirror: string | null;
  /** Address of the Hugging Face hub. */
  readonly huggingFaceUrl: string;
  /** Sent to the hub; never log it. */
  readonly huggingFaceToken: string | null;
  /** Address of the npm registry; null: the one that npm is set to. */
  readonly npmRegistry: string | null;
  /** Proxies by the usual variables; null: none. Passwords may be in them: never log them. */
  readonly httpsProxy: string | null;
  readonly httpProxy: string | null;
  /** Hosts that are reached without a proxy. */
  readonly noProxy: string | null;
  /** Least time between two checkpoints of a run; 0 makes none. */
  readonly checkpointMs: number;
  /** JavaScript heap of the worker process, MiB. */
  readonly workerMemoryMb: number;
  /** Time that the worker process has for opening the GPU. */
  readonly workerStartMs: number;
  /** A worker that has a job and says nothing for this long counts as hung and is restarted. */
  readonly workerSilenceMs: number;
  /** Longest time that an evaluation or a prediction may take, waiting included. */
  readonly requestTimeoutMs: number;
  /** Time that the worker has for ending its job when the server stops or a run is cancelled; then it is killed. */
  readonly stopTimeoutMs: number;
}

/** A setting that cannot be used. The message names the variable, the value given and what is allowed. */
export class ConfigError extends Error {
  constructor(readonly problems: readonly string[]) {
    super(`The configuration has ${problems.length} problem(s):\n${problems.map((text) => `- ${text}`).join('\n')}`);
    this.name = 'ConfigError';
  }
}

/** Reads one variable's text; throws an Error that says what is allowed. */
type Parse<T> = (text: string) => T;

export interface Setting<T> {
  readonly variable: string;
  /** As it would be written in the environment; null: not set. */
  readonly fallback: string | null;
  readonly parse: Parse<T>;
  /** Not to be repeated in a message: a value that is wrong may still hold a password. */
  readonly isSecret?: boolean;
  /** Whether the variable's name in small letters counts too, and first, as programs agree on for proxies. */
  readonly inSmallLetters?: boolean;
}

function integer(min: number, max: number, scale = 1): Parse<number> {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max) throw new Error(`an integer from ${min} to ${max}`);
    return value * scale;
  };
}

function oneOf<T extends string>(...allowed: readonly T[]): Parse<T> {
  return (text) => {
    const found = allowed.find((value) => value === text);
    if (found === undefined) throw new Error(`one of ${allowed.join(', ')}`);
    return found;
  };
}

const onOff: Parse<boolean> = (text) => oneOf('on', 'off')(text) === 'on';

const host: Parse<string> = (text) => {
  if (!/^[\w.:%-]+$/.test(text)) throw new Error('a host name or an IP address without a port, such as 0.0.0.0');
  return text;
};

const path: Parse<string> = (text) => {
  if (text.includes('\0')) throw new Error('a path without null characters');
  return resolve(text);
};

const folder: Parse<string> = (text) => {
  const absolute = path(text);
  if (!statSync(absolute, { throwIfNoEntry: false })?.isDirectory())
    throw new Error('the path of a folder that exists');
  return absolute;
};

const databaseUrl: Parse<string> = (text) => {
  const isPostgres = URL.canParse(text) && ['postgres:', 'postgresql:'].includes(new URL(text).protocol);
  if (!isPostgres) throw new Error('the address of a PostgreSQL database: postgres://user:password@host:port/name');
  return text;
};

const webAddress: Parse<string> = (text) => {
  const isWeb = URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
  if (!isWeb || /[?#]/.test(text)) throw new Error('an address such as https://example.org/path, without ? and #');
  return text;
};

/** As other programs take it: `host:port` is a proxy that speaks HTTP. */
const proxy: Parse<string> = (text) => {
  const address = text.includes('://') ? text : `http://${text}`;
  const known = ['http:', 'https:', 'socks5:', 'socks:'];
  const isProxy = URL.canParse(address) && known.includes(new URL(address).protocol);
  if (!isProxy) throw new Error('the address of an HTTP or SOCKS5 proxy, such as http://proxy.example.org:3128');
  return address;
};

/** For a header or a list: anything that has no control characters. */
const plainText: Parse<string> = (text) => {
  if (text.length > 10_000 || /\p{Cc}/u.test(text)) throw new Error('a text of up to 10000 characters in one line');
  return text;
};

const adapterName: Parse<string> = (text) => {
  if (text.length > 200 || /\p{Cc}/u.test(text))
    throw new Error('part of the name of an adapter, up to 200 characters');
  return text;
};

const MIB = 2 ** 20;
const SECOND = 1000;

/** Each setting with its environment variable. Nothing else in Graft's server reads the environment. */
export const SETTINGS: { readonly [K in keyof Config]: Setting<Config[K]> } = {
  host: { variable: 'GRAFT_HOST', fallback: '127.0.0.1', parse: host },
  port: { variable: 'GRAFT_PORT', fallback: '4000', parse: integer(0, 65_535) },
  dataDir: { variable: 'GRAFT_DATA_DIR', fallback: './graft-data', parse: path },
  databaseUrl: { variable: 'DATABASE_URL', fallback: null, parse: databaseUrl, isSecret: true },
  importRoot: { variable: 'GRAFT_IMPORT_ROOT', fallback: null, parse: folder },
  logLevel: {
    variable: 'GRAFT_LOG_LEVEL',
    fallback: 'info',
    parse: oneOf('trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'),
  },
  introspection: { variable: 'GRAFT_INTROSPECTION', fallback: 'on', parse: onOff },
  landingPage: { variable: 'GRAFT_LANDING_PAGE', fallback: 'on', parse: onOff },
  adapter: { variable: 'GRAFT_ADAPTER', fallback: null, parse: adapterName },
  tuning: { variable: 'GRAFT_TUNING', fallback: 'auto', parse: oneOf('auto', 'on', 'off') },
  tuningBudgetMs: { variable: 'GRAFT_TUNING_SECONDS', fallback: '10', parse: integer(1, 3600, SECOND) },
  maxUploadBytes: { variable: 'GRAFT_MAX_UPLOAD_MB', fallback: '1024', parse: integer(1, 1_048_576, MIB) },
  maxUploadFiles: { variable: 'GRAFT_MAX_UPLOAD_FILES', fallback: '64', parse: integer(1, 10_000) },
  maxDatasetPictures: { variable: 'GRAFT_MAX_DATASET_PICTURES', fallback: '100000', parse: integer(1, 10_000_000) },
  maxQueuedRuns: { variable: 'GRAFT_MAX_QUEUED_RUNS', fallback: '100', parse: integer(1, 1_000_000) },
  featureCacheBytes: { variable: 'GRAFT_FEATURE_CACHE_MB', fallback: '4096', parse: integer(0, 1_048_576, MIB) },
  downloadDir: { variable: 'GRAFT_DOWNLOAD_DIR', fallback: null, parse: path },
  downloadCacheBytes: { variable: 'GRAFT_DOWNLOAD_CACHE_MB', fallback: '8192', parse: integer(0, 1_048_576, MIB) },
  maxDownloadBytes: { variable: 'GRAFT_MAX_DOWNLOAD_MB', fallback: '1024', parse: integer(1, 2047, MIB) },
  downloadStallMs: { variable: 'GRAFT_DOWNLOAD_STALL_SECONDS', fallback: '30', parse: integer(1, 3600, SECOND) },
  privateDownloads: { variable: 'GRAFT_PRIVATE_DOWNLOADS', fallback: 'off', parse: oneOf('off', 'on') },
  zooMirror: { variable: 'GRAFT_ZOO_MIRROR', fallback: null, parse: webAddress },
  huggingFaceUrl: { variable: 'GRAFT_HF_URL', fallback: 'https://huggingface.co', parse: webAddress },
  huggingFaceToken: { variable: 'GRAFT_HF_TOKEN', fallback: null, parse: plainText, isSecret: true },
  npmRegistry: { variable: 'GRAFT_NPM_REGISTRY', fallback: null, parse: webAddress },
  httpsProxy: { variable: 'HTTPS_PROXY', fallback: null, parse: proxy, isSecret: true, inSmallLetters: true },
  httpProxy: { variable: 'HTTP_PROXY', fallback: null, parse: proxy, isSecret: true, inSmallLetters: true },
  noProxy: { variable: 'NO_PROXY', fallback: null, parse: plainText, inSmallLetters: true },
  checkpointMs: { variable: 'GRAFT_CHECKPOINT_SECONDS', fallback: '30', parse: integer(0, 86_400, SECOND) },
  workerMemoryMb: { variable: 'GRAFT_WORKER_MEMORY_MB', fallback: '4096', parse: integer(256, 1_048_576) },
  workerStartMs: { variable: 'GRAFT_WORKER_START_SECONDS', fallback: '60', parse: integer(1, 3600, SECOND) },
  workerSilenceMs: { variable: 'GRAFT_WORKER_SILENCE_SECONDS', fallback: '300', parse: integer(5, 86_400, SECOND) },
  requestTimeoutMs: { variable: 'GRAFT_REQUEST_SECONDS', fallback: '600', parse: integer(1, 86_400, SECOND) },
  stopTimeoutMs: { variable: 'GRAFT_STOP_SECONDS', fallback: '10', parse: integer(1, 3600, SECOND) },
};

/**
 * The configuration from environment variables. Unset and empty variables take their defaults. Throws ConfigError with
 * every problem at once.
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>>): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [key, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const { variable, fallback, parse, isSecret, inSmallLetters } = setting;
    const text = (inSmallLetters && env[variable.toLowerCase()]) || env[variable] || fallback;
    try {
      values[key] = text === null ? null : parse(text);
    } catch (error) {
      const given = isSecret ? 'of no use' : JSON.stringify(text);
      problems.push(`${variable} is ${given}; allowed is ${(error as Error).message}.`);
    }
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return values as unknown as Config;
}

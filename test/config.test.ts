import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { describe, test } from 'node:test';
import { ConfigError, loadConfig, SETTINGS } from '../src/config.js';

describe('the configuration', () => {
  const variables = Object.values(SETTINGS).map(({ variable }) => variable);

  test('has defaults that work', () => {
    const config = loadConfig({});
    assert.equal(config.host, '127.0.0.1');
    assert.equal(config.port, 4000);
    assert.equal(config.importRoot, null);
    assert.equal(config.maxUploadBytes, 2 ** 30);
    assert.ok(isAbsolute(config.dataDir));
    assert.deepEqual(loadConfig({ GRAFT_PORT: '', GRAFT_DATA_DIR: '' }), config, 'empty counts as unset');
  });

  test('takes every variable', () => {
    const config = loadConfig({
      GRAFT_HOST: '::1',
      GRAFT_PORT: '0',
      GRAFT_DATA_DIR: 'relative',
      DATABASE_URL: 'postgres://user:secret@localhost/graft',
      GRAFT_IMPORT_ROOT: tmpdir(),
      GRAFT_LOG_LEVEL: 'silent',
      GRAFT_INTROSPECTION: 'off',
      GRAFT_LANDING_PAGE: 'off',
      GRAFT_ADAPTER: 'llvmpipe',
      GRAFT_TUNING: 'on',
      GRAFT_TUNING_SECONDS: '11',
      GRAFT_MAX_UPLOAD_MB: '2',
      GRAFT_MAX_UPLOAD_FILES: '3',
      GRAFT_MAX_DATASET_PICTURES: '4',
      GRAFT_MAX_QUEUED_RUNS: '5',
      GRAFT_FEATURE_CACHE_MB: '6',
      GRAFT_DOWNLOAD_DIR: '/cache',
      GRAFT_DOWNLOAD_CACHE_MB: '12',
      GRAFT_MAX_DOWNLOAD_MB: '13',
      GRAFT_DOWNLOAD_STALL_SECONDS: '14',
      GRAFT_PRIVATE_DOWNLOADS: 'on',
      GRAFT_ZOO_MIRROR: 'http://mirror.example/zoo/',
      GRAFT_HF_URL: 'https://hub.example',
      GRAFT_HF_TOKEN: 'hf_secret',
      GRAFT_NPM_REGISTRY: 'https://npm.example/',
      HTTPS_PROXY: 'http://proxy.example:3128',
      http_proxy: 'http://small.example:3128',
      HTTP_PROXY: 'http://large.example:3128',
      NO_PROXY: 'localhost,.example.org',
      GRAFT_CHECKPOINT_SECONDS: '12',
      GRAFT_WORKER_MEMORY_MB: '256',
      GRAFT_WORKER_START_SECONDS: '7',
      GRAFT_WORKER_SILENCE_SECONDS: '8',
      GRAFT_REQUEST_SECONDS: '9',
      GRAFT_STOP_SECONDS: '10',
    });
    assert.deepEqual(config, {
      host: '::1',
      port: 0,
      dataDir: resolve('relative'),
      databaseUrl: 'postgres://user:secret@localhost/graft',
      importRoot: resolve(tmpdir()),
      logLevel: 'silent',
      introspection: false,
      landingPage: false,
      adapter: 'llvmpipe',
      tuning: 'on',
      tuningBudgetMs: 11_000,
      maxUploadBytes: 2 * 1024 * 1024,
      maxUploadFiles: 3,
      maxDatasetPictures: 4,
      maxQueuedRuns: 5,
      featureCacheBytes: 6 * 1024 * 1024,
      downloadDir: resolve('/cache'),
      downloadCacheBytes: 12 * 1024 * 1024,
      maxDownloadBytes: 13 * 1024 * 1024,
      downloadStallMs: 14_000,
      privateDownloads: 'on',
      zooMirror: 'http://mirror.example/zoo/',
      huggingFaceUrl: 'https://hub.example',
      huggingFaceToken: 'hf_secret',
      npmRegistry: 'https://npm.example/',
      httpsProxy: 'http://proxy.example:3128',
      httpProxy: 'http://small.example:3128',
      noProxy: 'localhost,.example.org',
      checkpointMs: 12_000,
      workerMemoryMb: 256,
      workerStartMs: 7000,
      workerSilenceMs: 8000,
      requestTimeoutMs: 9000,
      stopTimeoutMs: 10_000,
    });
  });

  test('takes proxies as other programs do', () => {
    const proxy = (text: string) => loadConfig({ HTTPS_PROXY: text }).httpsProxy;
    assert.equal(proxy('proxy.example:3128'), 'http://proxy.example:3128');
    assert.equal(proxy('socks5://localhost:1080'), 'socks5://localhost:1080');
    assert.throws(
      () => proxy('ftp://user:secret@proxy'),
      (error: Error) => /HTTPS_PROXY is of no use/.test(error.message) && !error.message.includes('secret'),
    );
  });

  test('names every variable that cannot be used, what was given and what is allowed', () => {
    const wrong = {
      GRAFT_HOST: 'http://localhost',
      GRAFT_PORT: '70000',
      GRAFT_IMPORT_ROOT: join(tmpdir(), 'there is no such folder'),
      GRAFT_LOG_LEVEL: 'loud',
      GRAFT_MAX_UPLOAD_MB: '-1',
      GRAFT_STOP_SECONDS: '1.5',
      GRAFT_REQUEST_SECONDS: '1e3',
      GRAFT_WORKER_MEMORY_MB: 'much',
      GRAFT_ZOO_MIRROR: 'ftp://mirror',
      GRAFT_HF_URL: 'https://hub/?token=1',
      GRAFT_PRIVATE_DOWNLOADS: 'yes',
    };
    assert.throws(
      () => loadConfig(wrong),
      (error: unknown) => {
        assert.ok(error instanceof ConfigError);
        assert.equal(error.problems.length, Object.keys(wrong).length);
        for (const [name, value] of Object.entries(wrong)) {
          const problem = error.problems.find((text) => text.startsWith(`${name} is ${JSON.stringify(value)}`));
          assert.match(problem ?? `nothing on ${name}`, /; allowed is /);
        }
        return true;
      },
    );
  });

  test('does not show a password', () => {
    assert.throws(
      () => loadConfig({ DATABASE_URL: 'mysql://user:secret@host/graft' }),
      (error: unknown) =>
        error instanceof ConfigError && /postgres:/.test(error.message) && !/secret/.test(error.message),
    );
  });

  test('is documented: docs/configuration.md lists exactly the variables that there are, with their defaults', () => {
    const rows = readFileSync('docs/configuration.md', 'utf8').matchAll(/^\| `([A-Z]\w+)` \| (.+?) \|/gm);
    const documented = new Map(Array.from(rows, (match) => [match[1] as string, match[2]]));
    assert.deepEqual([...documented.keys()], variables);
    for (const { variable, fallback } of Object.values(SETTINGS)) {
      assert.equal(documented.get(variable), fallback === null ? 'unset' : `\`${fallback}\``, variable);
    }
  });

  test('is the only reader of GRAFT_ variables in src', () => {
    const unknown = readdirSync('src', { recursive: true, encoding: 'utf8' })
      .filter((file) => file.endsWith('.ts') && file !== 'config.ts')
      .flatMap((file) => {
        const source = readFileSync(join('src', file), 'utf8');
        return Array.from(source.matchAll(/\bGRAFT_[A-Z_]+/g), ([name]) => ({ file, name }));
      })
      .filter(({ name }) => !variables.includes(name));
    assert.deepEqual(unknown, []);
  });
});

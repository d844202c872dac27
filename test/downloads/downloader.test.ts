import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { DownloadProgress } from '../../src/downloads/downloader.js';
import { DownloadError, type DownloadErrorCode } from '../../src/downloads/errors.js';
import { temporaryFolder } from '../store/fixtures.js';
import { cutOnceReceived, fileServer, serve, sha256 } from './fileServer.js';
import { downloader, requestFor } from './fixtures.js';

const data = randomBytes(100_000);
const fails =
  (code: DownloadErrorCode, message = /./) =>
  (error: unknown) => {
    assert.ok(error instanceof DownloadError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };

describe('downloads', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let cache = '';
  let count = 0;
  before(async () => {
    folder = await temporaryFolder();
  });
  after(() => folder.remove());
  beforeEach(() => {
    cache = join(folder.path, `cache${count++}`);
  });

  /** Bytes of unfinished files in the cache: what the client can go on from. */
  const received = (): number =>
    readdirSync(cache, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile() && entry.name.includes('.part'))
      .reduce(
        (sum, { parentPath, name }) => sum + (statSync(join(parentPath, name), { throwIfNoEntry: false })?.size ?? 0),
        0,
      );

  /** Runs `work` against a server that answers so. */
  const withServer = async (
    answer: Parameters<typeof fileServer>[0],
    work: (server: Awaited<ReturnType<typeof fileServer>>) => Promise<void>,
  ) => {
    const server = await fileServer(answer);
    try {
      await work(server);
    } finally {
      await server.close();
    }
  };

  test('arrive whole, with progress, and are kept', () =>
    withServer(serve(data), async ({ url, visits }) => {
      const request = requestFor(data, `${url}/a/file.bin?secret=1`);
      const seen: DownloadProgress[] = [];
      assert.deepEqual(await downloader(cache).read(request, { onProgress: (event) => seen.push(event) }), data);
      assert.deepEqual(await readdir(cache), ['file.bin']);
      const { length } = data;
      const first = { file: 'file.bin', url: `${url}/a/file.bin?...`, receivedBytes: 0, totalBytes: length };
      assert.deepEqual(seen[0], first);
      assert.deepEqual(seen.at(-1), { ...first, receivedBytes: length });
      assert.ok(seen.every(({ receivedBytes }, i) => receivedBytes >= (seen[i - 1]?.receivedBytes ?? 0)));
      seen.length = 0;
      await downloader(cache).read(request, { onProgress: (event) => seen.push(event) });
      assert.deepEqual(seen, [{ file: 'file.bin', url: null, receivedBytes: length, totalBytes: length }]);
      assert.equal(visits.length, 1);
      assert.equal(visits[0]?.headers['user-agent'], 'graft-test');
    }));

  test('go on where the line was cut', () =>
    withServer(serve(data, { cutAfter: 30_000, received }), async ({ url, visits }) => {
      assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/f`)), data);
      const [first, ...later] = visits.map(({ range }) => range);
      assert.equal(first, null);
      const starts = later.map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1]));
      assert.deepEqual(starts, [30_000, 60_000, 90_000]);
      assert.equal(visits[1]?.headers['if-range'], '"one"');
    }));

  test('go on in another process, later, from another address of the same file', async () => {
    let isDown = false;
    const answer = serve(data, { cutAfter: 30_000, received });
    await withServer(
      (request, response, visits) => {
        if (isDown) response.writeHead(404).end();
        else answer(request, response, visits);
        isDown = true;
      },
      async ({ url }) => {
        await assert.rejects(downloader(cache).read(requestFor(data, `${url}/f`)), fails('NOT_FOUND', /404/));
        assert.ok((await readdir(cache)).includes('file.bin.part'));
      },
    );
    await withServer(serve(data), async ({ url, visits }) => {
      assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/g`)), data);
      assert.match(visits[0]?.range ?? '', /^bytes=[1-9]\d*-$/);
    });
  });

  test('begin anew where the file has changed, the server ignores ranges, or sends other ones', async () => {
    const unverified = (url: string) => ({ ...requestFor(data, url), digest: null, size: null });
    let version = 0;
    await withServer(
      (request, response, visits) => {
        const etag = `"${version++}"`;
        serve(data, { etag, ...(version === 1 ? { cutAfter: 50_000, received } : {}) })(request, response, visits);
      },
      async ({ url, visits }) => {
        assert.deepEqual(await downloader(cache).read(unverified(`${url}/changed`)), data);
        assert.equal(visits.length, 2);
        assert.match(visits[1]?.range ?? '', /^bytes=[1-9]\d*-$/);
        assert.equal(visits[1]?.headers['if-range'], '"0"');
      },
    );
    assert.deepEqual(await readdir(cache), [], 'what cannot be checked is not kept');
    await withServer(
      (_request, response, visits) => {
        response.writeHead(200, { 'content-length': data.length, etag: '"x"' });
        if (visits.length > 1) response.end(data);
        else response.write(data.subarray(0, 20_000), () => cutOnceReceived(response, 20_000, { received }));
      },
      async ({ url, visits }) => {
        assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/ignores`)), data);
        assert.match(visits[1]?.range ?? '', /^bytes=[1-9]\d*-$/);
      },
    );
    cache = join(folder.path, 'other-range');
    await withServer(
      (request, response, visits) => {
        if (visits.length !== 2) serve(data, { cutAfter: 60_000, received })(request, response, visits);
        else {
          response.writeHead(206, { 'content-range': `bytes 5-${data.length - 1}/${data.length}` });
          response.end(data.subarray(5));
        }
      },
      async ({ url }) => {
        assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/other`)), data);
      },
    );
  });

  test('that were pieced together wrongly are fetched once more from the start', () =>
    withServer(serve(data), async ({ url, visits }) => {
      await mkdir(cache, { recursive: true });
      await writeFile(join(cache, 'file.bin.part'), randomBytes(40_000));
      assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/f`)), data);
      assert.deepEqual(
        visits.map(({ range }) => range),
        ['bytes=40000-', null],
      );
    }));

  test('survive a server that falls silent, before or within its answer', () =>
    withServer(
      (request, response, visits) => {
        if (visits.length === 1) return;
        if (visits.length > 2) return serve(data)(request, response, visits);
        response.writeHead(200, { 'content-length': data.length, etag: '"one"' });
        response.write(data.subarray(0, 1000));
      },
      async ({ url, visits }) => {
        assert.deepEqual(
          await downloader(cache, { stallMs: 60 }, { stallMs: 60 }).read(requestFor(data, `${url}/f`)),
          data,
        );
        const [first, second, third] = visits.map(({ range }) => range);
        assert.deepEqual([first, second, third], [null, null, 'bytes=1000-']);
      },
    ));

  test('survive a server that trickles', () =>
    withServer(
      (request, response, visits) => {
        if (visits.length > 1) return serve(data)(request, response, visits);
        response.writeHead(200, { 'content-length': data.length, etag: '"one"' });
        let at = 0;
        const timer = setInterval(() => response.write(data.subarray(at, (at += 10))), 10);
        response.on('close', () => clearInterval(timer));
      },
      async ({ url, visits }) => {
        const impatient = { stallMs: 100 };
        assert.deepEqual(await downloader(cache, impatient, impatient).read(requestFor(data, `${url}/f`)), data);
        assert.match(visits[1]?.range ?? '', /^bytes=[1-9]\d*-$/);
      },
    ));

  test('survive statuses of overload, and give up after a few in a row', () =>
    withServer(
      (request, response, visits) => {
        if (request.url === '/never') response.writeHead(500).end('broken');
        else if (visits.length === 1) response.writeHead(503, { 'retry-after': '0' }).end();
        else if (visits.length === 2) response.writeHead(429).end();
        else serve(data)(request, response, visits);
      },
      async ({ url, visits }) => {
        assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/f`)), data);
        assert.equal(visits.length, 3);
        const request = { ...requestFor(data, `${url}/never`), name: 'never' };
        await assert.rejects(downloader(cache).read(request), fails('REFUSED', /never fails \(status 500\)/));
        assert.equal(visits.length, 9);
      },
    ));

  describe('of the wrong file are refused', () => {
    const send = (response: ServerResponse, body: Uint8Array, headers = {}) =>
      response.writeHead(200, headers).end(body);
    const other = Buffer.from(data);
    other[5_000] = (other[5_000] as number) ^ 1;
    const cases: [string, (response: ServerResponse) => void, DownloadErrorCode, RegExp][] = [
      ['one other bit', (response) => send(response, other), 'DAMAGED', /sha256 hash does not begin with/],
      [
        'shorter',
        (response) => send(response, data.subarray(1)),
        'DAMAGED',
        /has 99999 bytes, and 100000 were expected/,
      ],
      [
        'says another length',
        (response) => send(response, data.subarray(1), { 'content-length': 99_999 }),
        'DAMAGED',
        /says that it has 99999 bytes, and it has 100000/,
      ],
      [
        'has more than it says',
        (response) => {
          const twice = Buffer.concat([data.subarray(0, 50_000), data]);
          response.socket?.write(
            Buffer.concat([Buffer.from('HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n'), twice]),
          );
        },
        'DAMAGED',
        /hash/,
      ],
      [
        'never ends',
        (response) => {
          response.writeHead(200);
          const more = () => {
            if (!response.destroyed) response.write(data, () => setImmediate(more));
          };
          more();
        },
        'DAMAGED',
        /more than 100000 bytes/,
      ],
      ['a web page', (response) => send(response, Buffer.from('<p>Log in first')), 'DAMAGED', /expected/],
      [
        'always cut',
        (response) => {
          response.writeHead(200, { 'content-length': 100_000 });
          response.flushHeaders();
          setTimeout(() => response.destroy(), 2);
        },
        'UNREACHABLE',
        /cannot be reached|ended after/,
      ],
    ];
    for (const [what, answer, code, message] of cases) {
      test(what, () =>
        withServer(
          (_request, response) => answer(response),
          async ({ url }) => {
            await assert.rejects(downloader(cache).read(requestFor(data, `${url}/f`)), fails(code, message));
            assert.ok(!(await readdir(cache)).includes('file.bin'));
            if (code === 'DAMAGED') assert.deepEqual(await readdir(cache), []);
          },
        ),
      );
    }

    test('larger than allowed', () =>
      withServer(serve(data), async ({ url }) => {
        const small = downloader(cache, { maxBytes: 1000 });
        const request = { ...requestFor(data, `${url}/f`), size: null };
        await assert.rejects(small.read(request), fails('TOO_LARGE', /1000 bytes\. GRAFT_MAX_DOWNLOAD_MB/));
        assert.deepEqual(await readdir(cache), []);
      }));
  });

  test('come from the next address where one fails, and say all reasons where all do', () =>
    withServer(
      (request, response, visits) => {
        if (request.url === '/missing') response.writeHead(404).end();
        else if (request.url === '/wrong') response.end('wrong');
        else serve(data)(request, response, visits);
      },
      async ({ url, visits }) => {
        const dead = 'http://127.0.0.1:1/f';
        const all = requestFor(data, dead, `${url}/missing`, `${url}/wrong`, `${url}/f`);
        assert.deepEqual(await downloader(cache).read(all), data);
        assert.deepEqual(
          visits.map(({ path }) => path),
          ['/missing', '/wrong', '/f'],
        );
        const none = { ...requestFor(data, dead, `${url}/missing`), name: 'none.bin' };
        await assert.rejects(downloader(cache).read(none), (error: Error) => {
          for (const part of [
            /^none\.bin cannot be downloaded\./,
            /127\.0\.0\.1:1\/f cannot be reached: .*ECONNREFUSED/,
            /HTTPS_PROXY/,
            /\/missing does not exist \(status 404\)/,
          ]) {
            assert.match(error.message, part);
          }
          assert.ok(error.message.includes(join(cache, 'none.bin')), 'where to put it by hand');
          return true;
        });
      },
    ));

  test('follow redirects, but not endlessly, and keep secrets from other hosts', async () => {
    await withServer(serve(data), (target) =>
      withServer(
        (request, response) => {
          const location = request.url === '/round' ? '/round' : request.url === '/away' ? `${target.url}/f` : '/away';
          response.writeHead(302, { location }).end();
        },
        async ({ url, visits }) => {
          const [address] = requestFor(data, `${url}/here`).addresses;
          const request = { ...requestFor(data), addresses: [{ ...address, authorization: 'Bearer secret' }] };
          assert.deepEqual(await downloader(cache).read(request as never), data);
          assert.deepEqual(
            [...visits, ...target.visits].map(({ headers }) => headers.authorization),
            ['Bearer secret', 'Bearer secret', undefined],
          );
          const round = { ...requestFor(data, `${url}/round`), name: 'round' };
          await assert.rejects(downloader(cache).read(round), fails('TOO_MANY_REDIRECTS', /more than 10 times/));
        },
      ),
    );
  });

  test('a file put into the cache by hand is taken if it is the right one', () =>
    withServer(serve(data), async ({ url, visits }) => {
      await mkdir(cache, { recursive: true });
      await writeFile(join(cache, 'file.bin'), data);
      const request = requestFor(data, `${url}/f`);
      assert.deepEqual(await downloader(cache).read(request), data);
      assert.equal(visits.length, 0);
      await writeFile(join(cache, 'file.bin'), 'wrong');
      assert.deepEqual(await downloader(cache).read(request), data);
      assert.equal(visits.length, 1);
      assert.deepEqual(await readFile(join(cache, 'file.bin')), data);
    }));

  test('callers of one file share it; one that leaves does not end it for the others', () =>
    withServer(serve(data, { slowly: true }), async ({ url, visits }) => {
      const one = downloader(cache);
      const request = requestFor(data, `${url}/f`);
      const abort = new AbortController();
      const leaving = one.read(request, { signal: abort.signal, onProgress: () => abort.abort() });
      const staying = [one.read(request), one.read(request)];
      await assert.rejects(leaving, fails('CANCELLED'));
      for (const bytes of await Promise.all(staying)) assert.deepEqual(bytes, data);
      assert.equal(visits.length, 1);
    }));

  test('end when nobody waits any more, and go on later', () =>
    withServer(serve(data, { slowly: true }), async ({ url, visits }) => {
      const one = downloader(cache);
      const request = requestFor(data, `${url}/f`);
      const abort = new AbortController();
      const onProgress = ({ receivedBytes }: DownloadProgress) => {
        if (receivedBytes >= 20_000) abort.abort();
      };
      await assert.rejects(one.read(request, { signal: abort.signal, onProgress }), fails('CANCELLED'));
      assert.deepEqual(await one.read(request), data);
      assert.match(visits[1]?.range ?? '', /^bytes=[2-9]0000-$/);
    }));

  test('processes that share a folder fetch a file once', () =>
    withServer(serve(data, { slowly: true }), async ({ url, visits }) => {
      const script = fileURLToPath(new URL('./otherProcess.js', import.meta.url));
      const run = () => promisify(execFile)(process.execPath, [script, cache, `${url}/f`, sha256(data)]);
      for (const { stdout } of await Promise.all([run(), run(), run()])) assert.equal(stdout, sha256(data));
      assert.equal(visits.length, 1);
      assert.deepEqual(await readdir(cache), ['file.bin']);
    }));

  test('the lock of a process that died is broken', () =>
    withServer(serve(data), async ({ url }) => {
      await mkdir(cache, { recursive: true });
      await writeFile(join(cache, 'file.bin.lock'), 'dead');
      const before = new Date(Date.now() - 60_000);
      await utimes(join(cache, 'file.bin.lock'), before, before);
      assert.deepEqual(await downloader(cache).read(requestFor(data, `${url}/f`)), data);
      assert.deepEqual(await readdir(cache), ['file.bin']);
    }));

  test('the cache is bounded: what was used longest ago goes', () =>
    withServer(serve(data), async ({ url }) => {
      const one = downloader(cache, { cacheBytes: 250_000 });
      for (const [index, name] of ['a', 'b', 'c'].entries()) {
        await one.read({ ...requestFor(data, `${url}/f`), name });
        const before = new Date(Date.now() - (10 - index) * 100_000);
        await utimes(join(cache, name), before, before);
      }
      await one.read({ ...requestFor(data, `${url}/f`), name: 'd' });
      assert.deepEqual(await readdir(cache), ['c', 'd']);
    }));

  test('other hashes are checked too', () =>
    withServer(serve(data), async ({ url }) => {
      const sha512 = createHash('sha512').update(data).digest('hex');
      const blob = createHash('sha1').update(`blob ${data.length}\0`).update(data).digest('hex');
      for (const digest of [
        { algorithm: 'sha512', hex: sha512 },
        { algorithm: 'gitBlob', hex: blob },
      ] as const) {
        const request = { ...requestFor(data, `${url}/f`), name: digest.algorithm, digest };
        assert.deepEqual(await downloader(cache).read(request), data);
        const wrong = { ...request, digest: { ...digest, hex: `${digest.hex.slice(0, -1)}x` } };
        await assert.rejects(downloader(cache).read(wrong), fails('DAMAGED'));
      }
    }));

  test('a cache that cannot be written is told at once', () =>
    withServer(serve(data), async ({ url, visits }) => {
      await writeFile(cache, 'a file where the folder should be');
      const request = requestFor(data, `${url}/f`);
      await assert.rejects(downloader(cache).read(request), fails('STORAGE', /EEXIST.*GRAFT_DOWNLOAD_DIR/));
      cache = join(folder.path, 'blocked');
      await mkdir(join(cache, 'file.bin.part'), { recursive: true });
      await assert.rejects(downloader(cache).read(request), fails('STORAGE', /EISDIR/));
      assert.ok(visits.length <= 1);
    }));

  test('names that are no file names go nowhere', async () => {
    for (const name of ['../up', 'a/b', '.hidden', '', 'x.part', 'x.lock', 'a\0b']) {
      await assert.rejects(downloader(cache).read({ ...requestFor(data), name }), fails('INVALID_URL', /no name/));
    }
  });
});

import assert from 'node:assert/strict';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { isPublicAddress, publicLookup } from '../../src/downloads/addresses.js';
import { DownloadError, type DownloadErrorCode } from '../../src/downloads/errors.js';
import { discard, HttpClient } from '../../src/downloads/httpClient.js';
import { fileServer } from './fileServer.js';
import { clientSettings } from './fixtures.js';

const fails = (code: DownloadErrorCode) => (error: unknown) => {
  assert.ok(error instanceof DownloadError, String(error));
  assert.equal(error.code, code, error.message);
  return true;
};

describe('addresses that clients may name', () => {
  test('are those of the public internet', () => {
    for (const address of ['1.1.1.1', '172.32.0.1', '192.169.0.1', '2606:4700:4700::1111', '100.128.0.1']) {
      assert.equal(isPublicAddress(address), true, address);
    }
    for (const address of [
      '127.0.0.1',
      '127.255.0.1',
      '0.0.0.0',
      '10.1.2.3',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '198.18.0.1',
      '224.0.0.1',
      '255.255.255.255',
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:a00:1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '2002:7f00:1::',
      '2001:0:1::1',
      'fe80::1%eth0',
      'fd00::1',
      'fec0::1',
      'ff02::1',
      '2001:db8::1',
      'nonsense',
    ]) {
      assert.equal(isPublicAddress(address), false, address);
    }
  });

  test('and no others, however they are written', async () => {
    const server = await fileServer((_request, response) => response.end('secret'));
    const client = new HttpClient(clientSettings());
    const { port } = server;
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '0177.0.0.1',
      '127.1',
      '[::1]',
      '[::ffff:127.0.0.1]',
      'localhost',
      'localhost.',
      'LOCALHOST',
      'a.localhost',
      'printer.local',
      '0.0.0.0',
    ]) {
      const url = `http://${host}:${port}/`;
      await assert.rejects(client.open({ url, isRestricted: true }), fails('FORBIDDEN_ADDRESS'), host);
    }
    for (const url of ['file:///etc/passwd', 'ftp://a/b', 'http://user:pass@example.org/', 'nonsense', 'data:,x']) {
      await assert.rejects(client.open({ url, isRestricted: false }), fails('INVALID_URL'), url);
    }
    assert.equal(server.visits.length, 0);
    await client.close();
    await server.close();
  });

  test('names that lead to private addresses are refused when the connection is made', async () => {
    // A name that /etc/hosts or DNS gives a private address: this machine's own.
    const resolved = await new Promise<unknown>((resolve) => publicLookup('localhost', { all: true }, resolve));
    assert.ok(fails('FORBIDDEN_ADDRESS')(resolved));
    const server = await fileServer((_request, response) => response.end('secret'));
    const client = new HttpClient(
      // As DNS answers for a name of an attacker.
      clientSettings({ lookup: (_name, options, callback) => publicLookup('localhost', options, callback) }),
    );
    const url = `http://rebound.example:${server.port}/`;
    await assert.rejects(client.open({ url, isRestricted: true }), fails('FORBIDDEN_ADDRESS'));
    assert.equal(server.visits.length, 0);
    await client.close();
    await server.close();
  });

  test('a redirect may not lead to them either; what the operator trusts may be reached', async () => {
    const secret = await fileServer((_request, response) => response.end('secret'));
    const open = await fileServer((request, response) => {
      if (request.url === '/') response.end('{"a": 1}');
      else response.writeHead(307, { location: secret.url }).end();
    });
    const client = new HttpClient(clientSettings({ trusted: [`${open.url}/api/`] }));
    assert.deepEqual(await client.json({ url: `${open.url}/`, isRestricted: true }), { a: 1 });
    const redirected = client.open({ url: `${open.url}/away`, isRestricted: true });
    await assert.rejects(redirected, fails('FORBIDDEN_ADDRESS'));
    assert.equal(secret.visits.length, 0);
    const free = new HttpClient(clientSettings({ allowPrivate: true }));
    const { status, body } = await free.open({ url: `${open.url}/away`, isRestricted: true });
    discard(body);
    assert.equal(status, 200);
    await Promise.all([client.close(), free.close(), open.close(), secret.close()]);
  });
});

describe('answers in JSON', () => {
  test('are bounded, and errors say what the server said', async () => {
    const server = await fileServer((request, response) => {
      if (request.url === '/large') response.end(`"${'x'.repeat(9 * 2 ** 20)}"`);
      else if (request.url === '/page') response.end('<p>');
      else if (request.url === '/private') response.writeHead(401).end();
      else response.writeHead(404).end();
    });
    const client = new HttpClient(clientSettings());
    const get = (path: string) => client.json({ url: server.url + path, isRestricted: false });
    await assert.rejects(get('/large'), fails('TOO_LARGE'));
    await assert.rejects(get('/page'), /does not answer with JSON/);
    await assert.rejects(get('/private'), /without permission \(status 401\)/);
    await assert.rejects(get('/nothing'), fails('NOT_FOUND'));
    await client.close();
    await server.close();
  });
});

describe('proxies', () => {
  /** The smallest proxy: CONNECT, and bytes both ways. */
  async function proxy() {
    const tunnels: string[] = [];
    const sockets = new Set<Socket>();
    const server: Server = createServer((socket) => {
      sockets.add(socket);
      socket.once('data', (head) => {
        const [, host = '', port = ''] = /^CONNECT ([^:\s]+):(\d+)/.exec(head.toString()) ?? [];
        tunnels.push(`${host}:${port}`);
        const target = connect(Number(port), '127.0.0.1', () => {
          socket.write('HTTP/1.1 200 OK\r\n\r\n');
          socket.pipe(target).pipe(socket);
        });
        sockets.add(target);
        for (const end of [socket, target]) end.on('error', () => undefined);
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const close = () => {
      for (const socket of sockets) socket.destroy();
      server.close();
    };
    return { url: `http://127.0.0.1:${port}`, tunnels, close };
  }

  test('are used, but for the hosts of NO_PROXY, and do not open private addresses to clients', async () => {
    const [server, tunnel] = [await fileServer((_request, response) => response.end('1')), await proxy()];
    const client = new HttpClient(clientSettings({ httpProxy: tunnel.url, noProxy: 'direct.example,127.0.0.1' }));
    const get = (host: string, isRestricted = false) =>
      client.json({ url: `http://${host}:${server.port}/`, isRestricted });
    // Only the proxy can know such a name.
    assert.equal(await get('inside.example', true), 1);
    assert.deepEqual(tunnel.tunnels, [`inside.example:${server.port}`]);
    assert.equal(await get('127.0.0.1'), 1);
    assert.equal(tunnel.tunnels.length, 1);
    await assert.rejects(get('10.0.0.1', true), fails('FORBIDDEN_ADDRESS'));
    await client.close();
    tunnel.close();
    await server.close();
  });
});

import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import sharp from 'sharp';
import { fakeServices, memoryBlobs, startTestServer, type TestServer } from './fixtures.js';

const MAX_BYTES = 64 * 1024;
const MAX_FILES = 3;
const PREFLIGHT = { 'apollo-require-preflight': 'true' };

interface UploadAnswer {
  readonly uploads?: { id: string; filename: string; bytes: number; hash: string }[];
  readonly errors?: { message: string; extensions: { code: string } }[];
}

function form(...files: [name: string, content: Uint8Array][]): FormData {
  const data = new FormData();
  for (const [name, content] of files) data.append('file', new Blob([content as Uint8Array<ArrayBuffer>]), name);
  return data;
}

describe('uploads and downloads', () => {
  let server: TestServer;
  const store = memoryBlobs();
  before(async () => {
    server = await startTestServer(fakeServices(store), { maxUploadBytes: MAX_BYTES, maxUploadFiles: MAX_FILES });
  });
  after(() => server.stop());

  async function upload(body: FormData | string, headers: Record<string, string> = PREFLIGHT) {
    const response = await fetch(`${server.url}/uploads`, { method: 'POST', headers, body });
    return { status: response.status, ...((await response.json()) as UploadAnswer) };
  }
  async function keep(content: Uint8Array): Promise<string> {
    const { uploads } = await upload(form(['x', content]));
    return uploads?.[0]?.hash as string;
  }

  test('files of a form are kept under the SHA-256 of their content', async () => {
    const files: [string, Uint8Array][] = [
      ['katze.jpg', randomBytes(MAX_BYTES)],
      ['größe 漢字.bin', randomBytes(17)],
      ['empty', new Uint8Array()],
    ];
    const { status, uploads } = await upload(form(...files));
    assert.equal(status, 201);
    assert.deepEqual(
      uploads?.map(({ filename, bytes, hash }) => ({ filename, bytes, hash })),
      files.map(([filename, content]) => ({
        filename,
        bytes: content.length,
        hash: createHash('sha256').update(content).digest('hex'),
      })),
    );
    assert.equal(new Set(uploads?.map(({ id }) => id)).size, files.length);
  });

  test('a form without the header that forces a preflight is refused', async () => {
    const { status, errors } = await upload(form(['a', randomBytes(5)]), {});
    assert.equal(status, 403);
    assert.equal(errors?.[0]?.extensions.code, 'CSRF_PREVENTED');
    assert.match(errors?.[0]?.message ?? '', /Apollo-Require-Preflight/);
  });

  test('a file beyond the limit is refused', async () => {
    const { status, errors } = await upload(form(['a', randomBytes(MAX_BYTES + 1)]));
    assert.equal(status, 413);
    assert.equal(errors?.[0]?.extensions.code, 'LIMIT_EXCEEDED');
  });

  test('more files than allowed are refused', async () => {
    const files = Array.from({ length: MAX_FILES + 1 }, (_, i): [string, Uint8Array] => [`f${i}`, randomBytes(10)]);
    const { status, errors } = await upload(form(...files));
    assert.equal(status, 413);
    assert.match(errors?.[0]?.message ?? '', new RegExp(`more than ${MAX_FILES} files`));
  });

  test('a request that announces too much is refused before it is read', async () => {
    const sending = request(`${server.url}/uploads`, {
      method: 'POST',
      headers: { ...PREFLIGHT, 'content-type': 'multipart/form-data; boundary=x', 'content-length': 1e12 },
    });
    sending.on('error', () => {});
    sending.flushHeaders();
    const [response] = await once(sending, 'response');
    assert.equal(response.statusCode, 413);
    sending.destroy();
  });

  test('what is no form, a broken form and an empty form are refused', async () => {
    const type = (value: string) => ({ ...PREFLIGHT, 'content-type': value });
    assert.equal((await upload('{}', type('application/json'))).status, 415);
    assert.equal((await upload('hello', type('multipart/form-data; boundary=x'))).status, 400);
    assert.equal((await upload('hello', type('multipart/form-data'))).status, 400);
    const cut = '--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc';
    assert.equal((await upload(cut, type('multipart/form-data; boundary=x'))).status, 400);
    const field = new FormData();
    field.append('text', 'no file');
    assert.equal((await upload(field)).status, 400);
  });

  test('the server lives on after a client that breaks off in the middle', async () => {
    const sending = request(`${server.url}/uploads`, {
      method: 'POST',
      headers: { ...PREFLIGHT, 'content-type': 'multipart/form-data; boundary=x', 'content-length': 50_000 },
    });
    sending.on('error', () => {});
    sending.write('--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nabc');
    await new Promise((resolve) => setTimeout(resolve, 50));
    sending.destroy();
    assert.equal((await upload(form(['a', randomBytes(5)]))).status, 201);
  });

  test('a picture is shown with its own type; the name of a download is kept', async () => {
    const picture = await sharp({ create: { width: 400, height: 200, channels: 3, background: '#336699' } })
      .png()
      .toBuffer();
    const hash = await keep(picture);
    const shown = await fetch(`${server.url}/blobs/${hash}`);
    assert.equal(shown.headers.get('content-type'), 'image/png');
    assert.equal(shown.headers.get('content-disposition'), null);
    assert.deepEqual(Buffer.from(await shown.arrayBuffer()), picture);
    const named = await fetch(`${server.url}/blobs/${hash}/${encodeURIComponent('größe "1".safetensors')}`);
    assert.equal(
      named.headers.get('content-disposition'),
      `attachment; filename="gr__e _1_.safetensors"; filename*=UTF-8''gr%C3%B6%C3%9Fe%20%221%22.safetensors`,
    );
    const head = await fetch(`${server.url}/blobs/${hash}`, { method: 'HEAD' });
    assert.equal(head.headers.get('content-length'), String(picture.length));
    const cached = await fetch(`${server.url}/blobs/${hash}`, { headers: { 'if-none-match': `"${hash}"` } });
    assert.equal(cached.status, 304);
  });

  test('nothing that a browser would run is shown', async () => {
    for (const text of ['<html><script>alert(1)</script>', '<svg xmlns="http://www.w3.org/2000/svg"/>', 'plain']) {
      const response = await fetch(`${server.url}/blobs/${await keep(Buffer.from(text))}`);
      assert.equal(response.headers.get('content-type'), 'application/octet-stream');
      assert.match(response.headers.get('content-disposition') ?? '', /^attachment/);
      assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
      assert.match(response.headers.get('content-security-policy') ?? '', /sandbox/);
      assert.equal(await response.text(), text);
    }
  });

  test('a thumbnail is small, keeps the aspect ratio, and is made of pictures only', async () => {
    const picture = await sharp({ create: { width: 640, height: 320, channels: 3, background: '#336699' } })
      .jpeg()
      .toBuffer();
    const response = await fetch(`${server.url}/thumbnails/${await keep(picture)}`);
    assert.equal(response.headers.get('content-type'), 'image/jpeg');
    const { width, height } = await sharp(await response.arrayBuffer()).metadata();
    assert.deepEqual([width, height], [160, 80]);
    for (const content of [Buffer.from('<svg/>'), Buffer.from('\x89PNG\r\n\x1a\nbroken', 'latin1')]) {
      assert.equal((await fetch(`${server.url}/thumbnails/${await keep(content)}`)).status, 415);
    }
  });

  test('what is not there is 404, and nothing but a hash is looked up', async () => {
    for (const path of [
      `/blobs/${'0'.repeat(64)}`,
      `/thumbnails/${'0'.repeat(64)}`,
      '/blobs/abc',
      '/blobs/..%2f..%2fetc%2fpasswd',
      '/blobs/%00',
    ]) {
      const response = await fetch(`${server.url}${path}`);
      assert.equal(response.status, 404, path);
      assert.match(response.headers.get('content-type') ?? '', /json/, path);
    }
  });
});

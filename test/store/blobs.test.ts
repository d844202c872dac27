import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { BlobStore } from '../../src/store/blobs.js';
import { StoreError } from '../../src/store/errors.js';
import { temporaryFolder } from './fixtures.js';

describe('blobs', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let blobs: BlobStore;
  before(async () => {
    folder = await temporaryFolder();
    blobs = await BlobStore.open(join(folder.path, 'blobs'));
  });
  after(() => folder.remove());

  const sha256 = (data: Uint8Array) => createHash('sha256').update(data).digest('hex');
  const has = (code: string) => (error: unknown) => error instanceof StoreError && error.code === code;
  const files = async () => {
    const entries = await readdir(join(folder.path, 'blobs'), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
  };

  test('are named by their SHA-256 and come back whole, from bytes and from streams', async () => {
    for (const size of [0, 1, 65_537, 3_000_001]) {
      const data = randomBytes(size);
      const info = await blobs.put(Readable.from([data.subarray(0, size >> 1), data.subarray(size >> 1)]));
      assert.deepEqual(info, { hash: sha256(data), bytes: size });
      assert.deepEqual(await blobs.put(data), info);
      assert.ok(data.equals(await blobs.read(info.hash)));
      const { stream, bytes } = await blobs.stream(info.hash);
      assert.equal(bytes, size);
      assert.ok(data.equals(await buffer(stream)));
    }
    assert.equal((await files()).length, 4);
  });

  test('over the limit, or broken off, leave nothing behind', async () => {
    const before = await files();
    const endless = Readable.from(
      (function* () {
        for (;;) yield randomBytes(1000);
      })(),
    );
    await assert.rejects(blobs.put(endless, 10_500), has('BLOB_TOO_LARGE'));
    assert.ok(endless.destroyed);
    const broken = Readable.from(
      (function* () {
        yield randomBytes(1000);
        throw new Error('connection lost');
      })(),
    );
    await assert.rejects(blobs.put(broken), /connection lost/);
    assert.deepEqual(await files(), before);
    assert.equal((await blobs.put(randomBytes(10_500), 10_500)).bytes, 10_500);
  });

  test('equal content that arrives twice at once is one blob', async () => {
    const data = randomBytes(100_000);
    const infos = await Promise.all(Array.from({ length: 8 }, () => blobs.put(Readable.from([data]))));
    assert.equal(new Set(infos.map(({ hash }) => hash)).size, 1);
    assert.equal((await files()).filter((name) => name === sha256(data)).length, 1);
    assert.ok(data.equals(await blobs.read(sha256(data))));
  });

  test('are found by hashes only, never by paths', async () => {
    for (const name of [
      '../graft.db',
      '/etc/passwd',
      '',
      'A'.repeat(64),
      `${'a'.repeat(63)}/`,
      `${'a'.repeat(64)}\n`,
    ]) {
      assert.throws(() => blobs.path(name), has('BLOB_NOT_FOUND'));
      await assert.rejects(blobs.read(name), has('BLOB_NOT_FOUND'));
    }
    await assert.rejects(blobs.read('a'.repeat(64)), has('BLOB_NOT_FOUND'));
    await assert.rejects(blobs.stream('a'.repeat(64)), has('BLOB_NOT_FOUND'));
  });

  test('that are damaged on the disk are named, not given out', async () => {
    const { hash } = await blobs.put(randomBytes(100_000));
    const content = await readFile(blobs.path(hash));
    content[70_000] = (content[70_000] as number) ^ 1;
    await writeFile(blobs.path(hash), content);
    const names = (error: unknown) => has('BLOB_DAMAGED')(error) && (error as Error).message.includes(hash);
    await assert.rejects(blobs.read(hash), names);
    const { stream } = await blobs.stream(hash);
    await assert.rejects(buffer(stream), names);
    await rm(blobs.path(hash));
  });

  test('sweeping deletes what is unused and old, and nothing else', async () => {
    const put = async () => (await blobs.put(randomBytes(50))).hash;
    const [used, old, fresh] = [await put(), await put(), await put()];
    const leftover = join(folder.path, 'blobs', 'incoming', 'leftover');
    await writeFile(leftover, 'x');
    const past = new Date(Date.now() - 10_000_000);
    for (const path of [blobs.path(used), blobs.path(old), leftover]) await utimes(path, past, past);
    const before = await files();
    const isUsed = (hash: string) => hash === used;
    assert.deepEqual(await blobs.sweep(isUsed, 5_000_000, true), { files: 2, bytes: 51 });
    assert.deepEqual(await files(), before);
    assert.deepEqual(await blobs.sweep(isUsed, 5_000_000), { files: 2, bytes: 51 });
    const left = await files();
    assert.equal(left.length, before.length - 2);
    assert.ok(left.includes(used) && left.includes(fresh) && !left.includes(old) && !left.includes('leftover'));
  });
});

import assert from 'node:assert/strict';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { zip } from '../services/zip.js';
import { temporaryFolder } from '../store/fixtures.js';
import { freshSeed, seeded } from '../training/fixtures.js';
import { coded, gzip, list, listBytes, tar, tarOf } from './archives.js';

const seed = freshSeed();
const random = seeded(seed);
const noise = (size: number) => Buffer.from(Array.from({ length: size }, () => Math.floor(random() * 256)));

const KINDS: Record<string, (files: Record<string, Uint8Array>) => Promise<Buffer> | Buffer> = {
  zip: (files) => zip(files),
  tar: tarOf,
  'tar.gz': async (files) => gzip(await tarOf(files)),
};

for (const [kind, make] of Object.entries(KINDS)) {
  describe(`${kind} archives, seed ${seed} (GRAFT_TEST_SEED repeats it)`, () => {
    test('every file comes with its path and content', async () => {
      const files = {
        'cats/1.jpg': noise(3),
        'cats/ünï 2.jpg': noise(100_000),
        'dogs/empty.jpg': Buffer.alloc(0),
        [`deep/${'folder/'.repeat(30)}x.png`]: noise(600),
      };
      assert.deepEqual(await listBytes(await make(files)), { files, refused: {} });
    });

    test('what file managers leave behind is left out', async () => {
      const junk = ['.DS_Store', '__MACOSX/cats/._1.jpg', 'cats/Thumbs.db', 'cats/.hidden/2.jpg', 'desktop.ini'];
      const files = Object.fromEntries(['cats/1.jpg', ...junk].map((name) => [name, noise(5)]));
      assert.deepEqual(Object.keys((await listBytes(await make(files))).files), ['cats/1.jpg']);
    });

    test('paths that lead out are refused and never looked at', async () => {
      const paths = ['../up.jpg', '/etc/passwd', 'a/../../b.jpg', 'C:\\windows\\x.jpg', '..\\x.jpg', 'a\u0007b/c.jpg'];
      const files = Object.fromEntries(['cats/1.jpg', ...paths].map((name) => [name, noise(5)]));
      const { files: read, refused } = await listBytes(await make(files));
      assert.deepEqual(Object.keys(read), ['cats/1.jpg']);
      assert.equal(Object.keys(refused).length, paths.length);
    });

    test('Windows separators separate folders', async () => {
      const { files } = await listBytes(await make({ 'cats\\1.jpg': noise(4) }));
      assert.deepEqual(Object.keys(files), ['cats/1.jpg']);
    });

    test('limits end the reading', async () => {
      const files = Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`c/${i}.jpg`, noise(1000)]));
      const archive = await make(files);
      await assert.rejects(listBytes(archive, { maxEntries: 10 }), coded('LIMIT_EXCEEDED'));
      await assert.rejects(listBytes(archive, { maxTotalBytes: 5000 }), coded('LIMIT_EXCEEDED'));
      const { refused } = await listBytes(await make({ 'c/1.jpg': noise(999), 'c/2.jpg': noise(1001) }), {
        maxFileBytes: 1000,
      });
      assert.deepEqual(Object.keys(refused), ['c/2.jpg']);
    });

    test('an archive that was cut anywhere is a typed error or loses files, and ends', async () => {
      const archive = await make({ 'c/1.jpg': noise(2000), 'c/2.jpg': noise(2000) });
      for (let trial = 0; trial < 20; trial++) {
        const length = 1 + Math.floor(random() * (archive.length - 1));
        const cut = archive.subarray(0, length);
        const outcome = await listBytes(cut).catch((error: unknown) => error);
        if (!(outcome instanceof Error)) continue;
        assert.ok(
          coded('DAMAGED_ARCHIVE')(outcome) || coded('UNSUPPORTED_ARCHIVE')(outcome),
          `cut at ${length}: ${outcome.stack}`,
        );
      }
    });

    test('damaged bytes give a typed error or other content, and end', async () => {
      const archive = await make({ 'c/1.jpg': noise(300), 'c/2.jpg': noise(300) });
      for (let trial = 0; trial < 60; trial++) {
        const damaged = Buffer.from(archive);
        for (let hit = 0; hit < 3; hit++) damaged[Math.floor(random() * damaged.length)] = Math.floor(random() * 256);
        const outcome = await listBytes(damaged).catch((error: unknown) => error);
        if (outcome instanceof Error) assert.equal(outcome.name, 'DatasetError', outcome.stack);
      }
    });
  });
}

describe('zip archives only', () => {
  /** Overwrites bytes of the first entry in the central directory. */
  const patch = (archive: Buffer, offset: number, bytes: readonly number[]): Buffer => {
    const copy = Buffer.from(archive);
    copy.set(bytes, copy.indexOf('PK\x01\x02', 0, 'latin1') + offset);
    return copy;
  };
  const one = zip({ 'c/1.jpg': noise(500) });

  test('links, encryption, unknown compression and wrong checksums concern one file', async () => {
    const cases: Record<string, Buffer> = {
      // Made by Unix (4.4.2), mode 0120777 (4.4.15).
      link: patch(patch(one, 5, [3]), 38, [0, 0, 0xff, 0xa1]),
      encrypted: patch(one, 8, [1]),
      method: patch(one, 10, [99]),
      checksum: patch(one, 16, [1, 2, 3, 4]),
    };
    for (const [name, archive] of Object.entries(cases)) {
      const { files, refused } = await listBytes(archive);
      assert.deepEqual([files, Object.keys(refused)], [{}, ['c/1.jpg']], name);
    }
  });

  test('a file that unpacks to more than it says is not read', async () => {
    const lying = zip({ 'c/1.jpg': Buffer.alloc(100_000) }, 100);
    const { files, refused } = await listBytes(lying);
    assert.deepEqual([files, Object.keys(refused)], [{}, ['c/1.jpg']]);
  });

  test('a file of nothing but zeros, which unpacks to a thousand times its size, is not read', async () => {
    const { files, refused } = await listBytes(zip({ 'c/1.jpg': Buffer.alloc(8 * 2 ** 20), 'c/2.jpg': noise(10) }));
    assert.deepEqual([Object.keys(files), Object.keys(refused)], [['c/2.jpg'], ['c/1.jpg']]);
  });

  test('many files that each compress well are stopped together', async () => {
    const files = Object.fromEntries(Array.from({ length: 80 }, (_, i) => [`c/${i}.jpg`, Buffer.alloc(2 ** 20, i)]));
    await assert.rejects(listBytes(zip(files)), coded('LIMIT_EXCEEDED'));
  });
});

describe('tar archives only', () => {
  test('links and devices are refused', async () => {
    const archive = await tar([
      { name: 'c/link.jpg', type: 'symlink', linkname: '/etc/passwd' },
      { name: 'c/hard.jpg', type: 'link', linkname: '../outside' },
      { name: 'c/device.jpg', type: 'character-device', devmajor: 1, devminor: 5 },
      { name: 'c/', type: 'directory' },
      { name: 'c/1.jpg', data: noise(3) },
    ]);
    const { files, refused } = await listBytes(archive);
    assert.deepEqual(Object.keys(files), ['c/1.jpg']);
    assert.deepEqual(Object.keys(refused).sort(), ['c/device.jpg', 'c/hard.jpg', 'c/link.jpg']);
  });

  test('gzipped zeros are stopped while they unpack', async () => {
    const zeros = gzip(await tarOf({ 'c/1.jpg': noise(10), 'c/zeros.jpg': Buffer.alloc(80 * 2 ** 20) }));
    await assert.rejects(listBytes(zeros), coded('LIMIT_EXCEEDED'));
  });

  test('files may be left unread', async () => {
    const archive = await tarOf({ 'c/1.jpg': noise(5000), 'd.txt': noise(7000), 'c/2.jpg': noise(10) });
    const { files, refused } = await listBytes(archive, { maxFileBytes: 4000 });
    assert.deepEqual([Object.keys(files), Object.keys(refused)], [['c/2.jpg'], ['c/1.jpg', 'd.txt']]);
  });
});

describe('other files and folders', () => {
  test('what is no archive is named', async () => {
    const cases: Record<string, string> = {
      'Rar!\x1a\x07\x01\0': 'rar',
      '7z\xbc\xaf\x27\x1c': '7-Zip',
      '\xff\xd8\xff\xe0': 'JPEG',
      'hello world': 'known',
      '': 'known',
    };
    for (const [bytes, word] of Object.entries(cases)) {
      await assert.rejects(listBytes(Buffer.from(bytes, 'latin1')), (error: unknown) => {
        assert.ok(coded('UNSUPPORTED_ARCHIVE')(error));
        assert.match((error as Error).message, new RegExp(word));
        return true;
      });
    }
  });

  test('a folder gives its files and never what links in it point to', async () => {
    const folder = await temporaryFolder();
    const outside = await temporaryFolder();
    try {
      await mkdir(join(folder.path, 'cats', '.git'), { recursive: true });
      await writeFile(join(folder.path, 'cats', '1.jpg'), 'one');
      await writeFile(join(folder.path, 'cats', '.git', 'x.jpg'), 'hidden');
      await writeFile(join(outside.path, 'secret.jpg'), 'secret');
      await symlink(join(outside.path, 'secret.jpg'), join(folder.path, 'cats', 'link.jpg'));
      await symlink(outside.path, join(folder.path, 'dogs'));
      const { files, refused } = await list(folder.path);
      assert.deepEqual(files, { 'cats/1.jpg': Buffer.from('one') });
      assert.deepEqual(Object.keys(refused).sort(), ['cats/link.jpg', 'dogs']);
    } finally {
      await folder.remove();
      await outside.remove();
    }
  });
});

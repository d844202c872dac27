import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { CheckpointFiles } from '../../src/store/checkpointFiles.js';
import { newId } from '../../src/store/ids.js';
import { temporaryFolder } from './fixtures.js';

describe('checkpoint files', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let files: CheckpointFiles;
  before(async () => {
    folder = await temporaryFolder();
    files = new CheckpointFiles(join(folder.path, 'checkpoints'));
  });
  after(() => folder.remove());

  test('hold the newest of each run, whole', async () => {
    const [run, other] = [newId(), newId()];
    assert.equal(await files.read(run), null);
    const contents = [randomBytes(100_000), randomBytes(50_000)];
    for (const content of contents) await files.write(run, content);
    await files.write(other, randomBytes(10));
    assert.deepEqual(Buffer.from((await files.read(run)) as Uint8Array), contents[1]);
    await files.remove(run);
    await files.remove(run);
    assert.equal(await files.read(run), null);
    assert.equal((await files.read(other))?.length, 10);
  });

  test('that are damaged or cut off count as none', async () => {
    const run = newId();
    const path = join(folder.path, 'checkpoints', run);
    await files.write(run, randomBytes(1000));
    const content = await readFile(path);
    await writeFile(path, content.subarray(0, 500));
    assert.equal(await files.read(run), null);
    content[700] = (content[700] as number) ^ 4;
    await writeFile(path, content);
    assert.equal(await files.read(run), null);
  });

  test('of runs that are over, and leftovers of interrupted writes, go', async () => {
    const [kept, gone] = [newId(), newId()];
    for (const run of [kept, gone]) await files.write(run, randomBytes(10));
    await writeFile(join(folder.path, 'checkpoints', `${kept}.half`), 'x');
    await files.keepOnly(new Set([kept]));
    assert.deepEqual(await readdir(join(folder.path, 'checkpoints')), [kept]);
    await new CheckpointFiles(join(folder.path, 'nothing here')).keepOnly(new Set());
  });

  test('are named by ids only', async () => {
    await assert.rejects(files.write('../escape', randomBytes(1)), /no id/);
    await assert.rejects(files.read('../../etc/passwd'), /no id/);
  });
});

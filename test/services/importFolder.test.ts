import assert from 'node:assert/strict';
import { mkdir, realpath, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { ServiceError } from '../../src/services/api.js';
import { resolveImportFolder } from '../../src/services/importFolder.js';
import { temporaryFolder } from '../store/fixtures.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let root: string;
before(async () => {
  folder = await temporaryFolder();
  root = join(folder.path, 'root');
  await mkdir(join(root, 'pictures', '..cats'), { recursive: true });
  await mkdir(join(folder.path, 'root-secret'));
  await writeFile(join(root, 'file'), '');
  await symlink(join(folder.path, 'root-secret'), join(root, 'out'));
  await symlink(join(root, 'pictures'), join(root, 'in'));
  await symlink(join(root, 'pictures'), join(folder.path, 'linked-root'));
});
after(() => folder.remove());

const refused = (error: unknown) => error instanceof ServiceError && error.code === 'BAD_USER_INPUT';

test('folders inside of the root are found by relative and absolute paths, and through links', async () => {
  const pictures = await realpath(join(root, 'pictures'));
  assert.equal(await resolveImportFolder(root, 'pictures'), pictures);
  assert.equal(await resolveImportFolder(root, './pictures/../pictures/'), pictures);
  assert.equal(await resolveImportFolder(root, join(root, 'pictures')), pictures);
  assert.equal(await resolveImportFolder(root, 'in'), pictures);
  assert.equal(await resolveImportFolder(root, '.'), await realpath(root));
  assert.equal(await resolveImportFolder(root, 'pictures/..cats'), join(pictures, '..cats'));
  assert.equal(await resolveImportFolder(join(folder.path, 'linked-root'), '..cats'), join(pictures, '..cats'));
});

test('everything else is refused, in words that tell nothing of what exists', async () => {
  const outside = ['..', '../root-secret', join(folder.path, 'root-secret'), '/', 'out', '../nothing', 'file', 'x\0'];
  const messages = new Set<string>();
  for (const path of outside) {
    await assert.rejects(resolveImportFolder(root, path), (error: unknown) => {
      messages.add((error as Error).message.replace(JSON.stringify(path), 'PATH'));
      return refused(error);
    });
  }
  assert.equal(messages.size, 1);
  await assert.rejects(resolveImportFolder(null, 'pictures'), /GRAFT_IMPORT_ROOT/);
});

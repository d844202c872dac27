// Writes each src/**/*.wgsl to dist/src/**/*.wgsl.js as a module with one default-exported string, so that the engine
// needs no file system: the same build runs in Node and in a browser.
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
for (const entry of await readdir(join(root, 'src'), { recursive: true })) {
  if (!entry.endsWith('.wgsl')) continue;
  const source = await readFile(join(root, 'src', entry), 'utf8');
  const target = join(process.env.DIST ?? join(root, 'dist'), 'src', `${entry}.js`);
  await mkdir(dirname(target), { recursive: true });
  await writeFile(target, `export default ${JSON.stringify(source)};\n`);
}

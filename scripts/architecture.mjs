// Holds the directions of imports between the folders of src (docs/architecture.md), types included, and that the engine and
// the models stay free of Node. A parser of our own choice, because dependency-cruiser reads no TypeScript 7.
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, posix, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSync } from 'oxc-parser';

const source = join(dirname(fileURLToPath(import.meta.url)), '..', 'src');

/** Folder -> folders that it may import. `config` is src/config.ts; files directly in src, and entry points, may import all. */
const ALLOWED = {
  kernels: [],
  models: ['kernels'],
  datasets: ['models'],
  training: ['kernels', 'models', 'datasets'],
  store: [],
  downloads: [],
  runtime: ['kernels'],
  jobs: ['kernels', 'models', 'datasets', 'training', 'store', 'runtime', 'config'],
  services: ['kernels', 'models', 'datasets', 'training', 'store', 'downloads', 'runtime', 'jobs', 'config'],
  resolvers: ['services', 'models', 'training'],
  http: ['services', 'resolvers', 'config'],
};
const ENTRY_POINTS = ['cli', 'demo', 'doctor'];
const BROWSER = ['kernels', 'models'];

function importsOf(path) {
  const { module, errors } = parseSync(path, readFileSync(join(source, path), 'utf8'));
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  return [
    ...module.staticImports.map((entry) => entry.moduleRequest.value),
    ...module.staticExports.flatMap((entry) => entry.entries.map((item) => item.moduleRequest?.value)),
    ...module.dynamicImports.map((entry) =>
      readFileSync(join(source, path), 'utf8').slice(entry.moduleRequest.start + 1, entry.moduleRequest.end - 1),
    ),
  ].filter((specifier) => specifier !== undefined);
}

const problems = [];
let files = 0;
for (const entry of readdirSync(source, { recursive: true })) {
  const path = entry.split(sep).join('/');
  if (!path.endsWith('.ts') || path.endsWith('.d.ts')) continue;
  files++;
  const folder = path.includes('/') ? path.split('/')[0] : null;
  const allowed = folder && ALLOWED[folder];
  if (folder && !allowed && !ENTRY_POINTS.includes(folder)) {
    problems.push(`src/${path}: the folder ${folder} has no rule in scripts/architecture.mjs`);
    continue;
  }
  for (const specifier of importsOf(path)) {
    if (!specifier.startsWith('.')) {
      const isNode = specifier.startsWith('node:') || builtinModules.includes(specifier);
      if (isNode && BROWSER.includes(folder))
        problems.push(`src/${path} imports ${specifier}: ${folder} runs in browsers too`);
      continue;
    }
    if (!allowed) continue;
    const target = posix.join(posix.dirname(path), specifier);
    const other = target.includes('/') ? target.split('/')[0] : target.replace(/\.js$/, '');
    if (other !== folder && !allowed.includes(other)) {
      problems.push(
        `src/${path} imports ${specifier}: ${folder} may import ${allowed.join(', ') || 'no other folder'}`,
      );
    }
  }
}
for (const problem of problems) console.error(problem);
console.log(`architecture: ${files} files, ${problems.length} forbidden imports`);
process.exitCode = problems.length > 0 ? 1 : 0;

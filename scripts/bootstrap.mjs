// Everything that a fresh clone needs before a command can run: `node scripts/bootstrap.mjs setup|demo|start|test|bench|bench:pack|fuzz|graft`.
// Each step looks first and does nothing where nothing is to do, so every command goes through all of them.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, relative, sep } from 'node:path';
import { checkNode, ensureBuild, ensureDependencies } from './setup/dependencies.mjs';
import { ensureAdapter, findAdapter } from './setup/graphics.mjs';
import { startPostgres } from './setup/postgres.mjs';
import { root, runNode, SetupError, say } from './setup/process.mjs';

/** `test/models`, `test/models/zoo.test.ts` or a built file, as the built test files below it. */
function testFiles(path) {
  const built = path.startsWith('dist') ? path : join('dist', path);
  const absolute = join(root, built.replace(/\.ts$/, '.js'));
  if (!existsSync(absolute))
    throw new SetupError(`There is no ${path}: name a folder or file of tests, such as test/models.`);
  if (statSync(absolute).isFile()) return [absolute];
  return readdirSync(absolute, { recursive: true })
    .filter((name) => name.endsWith('.test.js'))
    .map((name) => join(absolute, name))
    .sort();
}

/** Runs the tests beside a PostgreSQL server of their own, where one is installed. */
async function runTests(args, env) {
  const postgres = await startPostgres();
  if (!postgres) say('PostgreSQL is not installed: the store is tested on SQLite alone.');
  try {
    return await runTestFiles(args, postgres ? { ...env, GRAFT_TEST_POSTGRES: postgres.url } : env);
  } finally {
    await postgres?.stop();
  }
}

function runTestFiles(args, env) {
  // Values of options come with `=` (`--test-name-pattern=softmax`), so whatever has no dash is a path.
  const options = args.filter((argument) => argument.startsWith('-'));
  const paths = args.filter((argument) => !argument.startsWith('-'));
  const files = (paths.length > 0 ? paths : ['test']).flatMap(testFiles);
  if (files.length === 0) throw new SetupError(`No tests in ${paths.join(', ')}.`);
  // One test file per core: the software adapter computes on the CPU, so more would only fight for it.
  const concurrency = Math.max(1, Math.min(4, availableParallelism()));
  const defaults = options.some((option) => option.startsWith('--test-concurrency'))
    ? []
    : [`--test-concurrency=${concurrency}`];
  const names = files.map((file) => relative(root, file).split(sep).join('/'));
  return runNode(['--enable-source-maps', '--test', ...defaults, ...options, ...names], env);
}

const [command, ...args] = process.argv.slice(2);

async function main() {
  checkNode();
  ensureDependencies();
  ensureBuild();
  switch (command) {
    case 'setup':
      await ensureAdapter({ verbose: true });
      say('Ready: npm run demo, npm test, npm start.');
      return 0;
    case 'demo':
      return runNode(['--enable-source-maps', 'dist/src/demo/main.js', ...args], await ensureAdapter());
    case 'start':
      return runNode(['--enable-source-maps', 'dist/src/cli.js', 'start', ...args], await ensureAdapter());
    case 'test':
      return runTests(args, await ensureAdapter());
    case 'bench':
      return runNode(['--enable-source-maps', 'dist/bench/main.js', ...args], await ensureAdapter());
    case 'fuzz':
      return runNode(['--enable-source-maps', 'dist/test/fuzz/main.js', ...args], process.env);
    case 'bench:pack': {
      // Not at the top: it needs a dependency.
      const { pack } = await import('./pack/pack.mjs');
      pack(args[0] ?? 'graft-bench', findAdapter().env);
      return 0;
    }
    case 'graft':
      // `graft doctor` has to run without an adapter: it says what is missing.
      return runNode(['--enable-source-maps', 'dist/src/cli.js', ...args], findAdapter().env);
    default:
      throw new SetupError(
        `Unknown command ${command ?? '(none)'}: use setup, demo, start, test, bench, bench:pack, fuzz or graft.`,
      );
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exitCode = 1;
}

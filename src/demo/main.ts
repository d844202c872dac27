import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join, resolve } from 'node:path';
import { type DemoArguments, HELP, parseArguments, UsageError } from './arguments.js';
import { GraftClient } from './client.js';
import { Console, standardOutput } from './console.js';
import { type DemoResult, runDemo } from './runDemo.js';
import { buildSampleData } from './sampleData.js';
import { ServerProcess } from './serverProcess.js';

const OUTPUT_FOLDER = 'graft-demo';
const SAMPLE_NAME = 'emoji of four designers';
const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/** The person wants it to end. */
class Interrupted extends Error {
  constructor(readonly exitCode: number) {
    super('Interrupted.');
  }
}

/** Where the person typed the command: npm changes to the package's folder and tells where it was. */
const typedIn = (): string => process.env.INIT_CWD ?? process.cwd();

function interruption(): AbortSignal {
  const abort = new AbortController();
  for (const [name, exitCode] of Object.entries(SIGNALS)) {
    process.on(name, () => abort.abort(new Interrupted(exitCode)));
  }
  return abort.signal;
}

async function demonstrate({ data }: DemoArguments, console: Console, signal: AbortSignal): Promise<DemoResult> {
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'graft-demo-'));
  let server: ServerProcess | null = null;
  let client: GraftClient | null = null;
  try {
    console.print('Graft: transfer learning through GraphQL, on this machine. Every number below is measured here.');
    const pictures = data ?? join(folder, 'pictures');
    await mkdir(pictures, { recursive: true });
    server = ServerProcess.start({ GRAFT_DATA_DIR: join(folder, 'data'), GRAFT_IMPORT_ROOT: pictures });
    if (data === null) await drawSampleData(console, pictures);
    const url = await Promise.race([server.url, aborted(signal)]);
    console.heading(`A server at ${url}/graphql`);
    client = new GraftClient(url, signal);
    return await runDemo({
      client,
      console,
      datasetName: data === null ? SAMPLE_NAME : basename(data),
      outputFolder: resolve(OUTPUT_FOLDER),
      started,
    });
  } catch (error) {
    signal.throwIfAborted();
    if (server?.recentLog) console.print('', "The server's last words:", server.recentLog);
    throw error;
  } finally {
    console.clear();
    await client?.close();
    await server?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function drawSampleData(console: Console, folder: string): Promise<void> {
  console.heading('Sample data');
  console.progress('  Drawing emoji ...');
  const drawn = performance.now();
  const pictures = await buildSampleData(folder);
  const seconds = ((performance.now() - drawn) / 1000).toFixed(1);
  console.print(
    `  ${pictures.length} pictures of 224 x 224, drawn in ${seconds} s from emoji on npm.`,
    '  Training and validation: Noto (Apache-2.0), OpenMoji (CC-BY-SA-4.0) and Fluent (MIT).',
    '  Test: Twemoji (CC-BY-4.0), and only things that are in no training picture.',
    '  So the accuracy below is one on unknown things by an unknown hand.',
  );
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}

async function main(args: readonly string[]): Promise<number> {
  const demo = parseArguments(args, typedIn());
  if (demo.help) {
    process.stdout.write(HELP);
    return 0;
  }
  const console = new Console(standardOutput());
  const result = await demonstrate(demo, console, interruption());
  console.print(
    '',
    `Done in ${result.secondsTotal.toFixed(0)} s. Your own pictures: npm run demo -- --data FOLDER. The server: npm start.`,
  );
  if (demo.json) process.stdout.write(`${JSON.stringify(result)}\n`);
  return 0;
}

function explain(error: unknown): number {
  if (error instanceof Interrupted) {
    process.stderr.write('\nInterrupted; the server is stopped and its temporary folder removed.\n');
    return error.exitCode;
  }
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return 2;
  }
  process.stderr.write(`\nThe demo could not go on: ${error instanceof Error ? error.message : String(error)}\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);

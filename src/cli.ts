import { parseArgs } from 'node:util';
import { ConfigError, loadConfig } from './config.js';
import { examine, renderReport } from './doctor/report.js';
import { graftVersion } from './version.js';

const HELP = `Graft: a self-hosted transfer-learning server.

Usage: graft COMMAND [OPTIONS]

Commands
  start            Serves the GraphQL API until SIGINT or SIGTERM.
  doctor           Examines this machine: GPU, driver, data folder; says what to do about what is missing.

Options
  --json           doctor: prints one JSON object.
  --help, -h       Prints this.
  --version, -v    Prints the version.

Settings come from environment variables, such as GRAFT_PORT; docs/configuration.md lists them.
`;

/** A terminal or a supervisor may send the same signal twice at once; only one that comes later means impatience. */
const IMPATIENT_AFTER_MS = 500;

function waitForSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let first = 0;
    const take = (signal: NodeJS.Signals) => {
      const now = Date.now();
      if (first && now - first > IMPATIENT_AFTER_MS) process.exit(1);
      first ||= now;
      resolve(signal);
    };
    process.on('SIGINT', take);
    process.on('SIGTERM', take);
    process.on('SIGHUP', take);
  });
}

async function start(): Promise<number> {
  // From the beginning, so that a signal during the start stops the server too.
  const signal = waitForSignal();
  // Whoever reads the output may go away (`graft start | head`); the server stays.
  process.stdout.on('error', () => undefined);
  const config = loadConfig(process.env);
  // Loaded here only: `graft --help` need not wait for the server's modules.
  const { startServer } = await import('./server.js');
  const server = await startServer({ config });
  process.stdout.write(
    `Graft is ready: ${server.url}/graphql (GraphQL over HTTP and WebSocket; open it in a browser). Ctrl-C stops it.\n`,
  );
  process.stdout.write(`Stopping after ${await signal} ...\n`);
  await server.stop();
  return 0;
}

function doctor(json: boolean): number {
  const report = examine(process.env);
  process.stdout.write(`${json ? JSON.stringify(report) : renderReport(report)}\n`);
  return report.ok ? 0 : 1;
}

/** The command line was not understood. */
class UsageError extends Error {}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
        version: { type: 'boolean', short: 'v', default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

/** Runs a command line and returns the exit code: 0 well, 1 failed, 2 not understood. */
async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.version || values.help) {
    process.stdout.write(values.version ? `${graftVersion()}\n` : HELP);
    return 0;
  }
  if (rest.length > 0) throw new UsageError(`${command} takes no ${JSON.stringify(rest[0])}.`);
  if (command === 'start') return start();
  if (command === 'doctor') return doctor(values.json);
  throw new UsageError(command ? `There is no command ${JSON.stringify(command)}.` : 'A command is missing.');
}

function explain(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return 2;
  }
  // Of these the message is all that a person needs.
  const isPlain = error instanceof ConfigError || (error instanceof Error && error.name === 'ListenError');
  process.stderr.write(`${isPlain ? error.message : ((error as Error).stack ?? String(error))}\n`);
  return 1;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
// Whatever a library forgot must not keep a stopped server alive.
setTimeout(() => process.exit(), 2_000).unref();

import { parseArgs } from 'node:util';
import { EXIT, UsageError } from './cli/usage.js';
import { loadConfig } from './config.js';
import { examine, renderReport } from './doctor/report.js';
import { ModelError } from './models/errors.js';
import { graftVersion } from './version.js';

const HELP = `Graft: a self-hosted transfer-learning server.

Usage: graft COMMAND [OPTIONS]

Commands
  start            Serves the GraphQL API until SIGINT or SIGTERM.
  doctor           Examines this machine: GPU, driver, data folder; says what to do about what is missing.
  infer MODEL      Runs a model file once on NumPy arrays, without a server.
  convert IN OUT   Writes a model file in another format, by the ending of OUT: .onnx, .safetensors, .pth, .zip, / (folder).
  inspect FILE     Prints what a model file holds: layers, shapes, parameters, preprocessing, classes.

Options
  --json           doctor, inspect, convert: prints one JSON object.
  --input [NAME=]FILE.npy ...
                   infer: an array for each input, by name or in the order of the model.
  --output [NAME=]FILE.npy ...
                   infer: where outputs are written; without it, their ranges are printed.
  --format NAME    convert: safetensors, onnx, pytorch, tfjs or folder, where the ending of OUT does not say it.
  --softmax        convert to ONNX: the graph ends in probabilities.
  --pictures uint8-nhwc | uint8-nchw | float32-nhwc | float32-nchw
                   convert to ONNX: the graph takes pictures and does the preprocessing behind the resizing.
  --labels FILE, --preprocessing FILE.json
                   convert: what the model file does not say; labels one a line.
  --compare        convert to ONNX: runs the file by ONNX Runtime, where it is installed, beside Graft's engine.
  --size PIXELS    infer, inspect, convert: side of pictures where the model leaves it open. Default 224.
  --help, -h       Prints this.
  --version, -v    Prints the version.

Exit status: 0 done, 1 failed, 2 the command line was not understood, 3 the model has parts that Graft does not support
(they are listed). docs/cli.md says more.

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

/** Commands that read their own arguments. */
async function modelCommand(args: readonly string[]): Promise<number | null> {
  const [command, ...rest] = args;
  if (rest.includes('--help') || rest.includes('-h')) return null;
  if (command === 'infer') return (await import('./cli/infer.js')).infer(rest);
  if (command === 'convert') return (await import('./cli/convert.js')).convert(rest);
  if (command === 'inspect') return (await import('./cli/inspect.js')).inspect(rest);
  return null;
}

/** Runs a command line and returns the exit status; see `EXIT`. */
async function main(args: readonly string[]): Promise<number> {
  const status = await modelCommand(args);
  if (status !== null) return status;
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

/** Errors that are meant for the person at the command line. */
const PLAIN_ERRORS = ['ConfigError', 'ListenError', 'ModelError', 'EngineError', 'TrainingError'];

function explain(error: unknown): number {
  if (error instanceof UsageError) {
    process.stderr.write(`${error.message}\n\n${HELP}`);
    return EXIT.usage;
  }
  if (error instanceof ModelError && error.code === 'UNSUPPORTED') {
    const kinds = [...new Set(error.problems.map(({ kind }) => kind))];
    process.stderr.write(`${error.message}\nUnsupported: ${kinds.join(', ')}\n`);
    return EXIT.unsupported;
  }
  // Of these the message is all that a person needs.
  const isPlain = error instanceof Error && PLAIN_ERRORS.includes(error.name);
  process.stderr.write(`${isPlain ? error.message : ((error as Error).stack ?? String(error))}\n`);
  return EXIT.failed;
}

process.exitCode = await main(process.argv.slice(2)).catch(explain);
// Whatever a library forgot must not keep a stopped server alive.
setTimeout(() => process.exit(), 2_000).unref();

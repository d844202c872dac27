// Running other programs from the set-up. Plain Node, because no dependency is installed yet when this runs.
import { spawn, spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const PARENT_CHECK_MS = 250;

/** A failure that the person at the terminal can act on: printed without a stack. */
export class SetupError extends Error {}

export function say(message) {
  // stderr, so that the last line of `npm run demo -- --json` on stdout stays the demo's own.
  process.stderr.write(`[graft] ${message}\n`);
}

/** Runs to the end with the terminal's own input and output; returns the exit code (signals as 128 + number). */
export function runVisibly(command, args, options = {}) {
  const result = spawnSync(command, args, { cwd: root, stdio: ['inherit', 2, 2], ...options });
  if (result.error) throw new SetupError(`${command} could not be started: ${result.error.message}`);
  return result.status ?? 1;
}

/** Runs to the end and returns its output; never asks anything. */
export function runQuietly(command, args, options = {}) {
  const result = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
    maxBuffer: 64 * 2 ** 20,
    ...options,
  });
  return {
    code: result.error ? -1 : (result.status ?? -1),
    stdout: result.stdout ?? '',
    stderr: result.stderr ?? String(result.error ?? ''),
  };
}

/** npm from Node: through npm's own script where we run under npm, because Windows cannot spawn `npm.cmd` directly. */
export function runNpm(args) {
  const script = process.env.npm_execpath;
  if (script && /\.c?js$/.test(script)) return runVisibly(process.execPath, [script, ...args]);
  return runVisibly('npm', args, { shell: process.platform === 'win32' });
}

/**
 * Runs a Node program as the foreground child and returns its exit code. The terminal sends SIGINT to the whole group, so
 * it is only ignored here; SIGTERM and SIGHUP reach this process alone and are passed on. A signal to npm reaches only the
 * shell between npm and us, which dies of it: that we see by having another parent.
 */
export function runNode(args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: 'inherit', env });
    const ignore = () => {};
    const forward = (signal) => child.kill(signal);
    process.on('SIGINT', process.stdin.isTTY ? ignore : forward);
    process.on('SIGTERM', forward);
    process.on('SIGHUP', forward);
    const parent = process.ppid;
    const check = setInterval(() => {
      if (process.ppid === parent) return;
      clearInterval(check);
      forward('SIGTERM');
    }, PARENT_CHECK_MS).unref();
    child.on('error', reject);
    child.on('exit', (code, signal) => resolve(code ?? (signal === 'SIGINT' ? 130 : signal === 'SIGTERM' ? 143 : 1)));
  });
}

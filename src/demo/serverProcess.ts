import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Lines of the server's log that are kept for an error message. */
const LOG_LINES = 20;
const STOP_MS = 15_000;

/** `graft start` as a process of its own on a free port of this machine. */
export class ServerProcess {
  private readonly log: string[] = [];
  private readonly exited: Promise<unknown>;

  private constructor(
    private readonly child: ChildProcess,
    readonly url: Promise<string>,
  ) {
    this.exited = once(child, 'exit').catch(() => undefined);
  }

  /** `settings`: environment variables on top of this process's own. `url` rejects where the server does not start. */
  static start(settings: Readonly<Record<string, string>>): ServerProcess {
    const cli = fileURLToPath(new URL('../cli.js', import.meta.url));
    const child = spawn(process.execPath, ['--enable-source-maps', cli, 'start'], {
      env: { ...process.env, GRAFT_HOST: '127.0.0.1', GRAFT_PORT: '0', GRAFT_LOG_LEVEL: 'warn', ...settings },
      stdio: ['ignore', 'pipe', 'pipe'],
      // Ctrl-C in the terminal is the demo's to handle: it stops the server when it has ended what it does.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    const killed = () => void child.kill('SIGKILL');
    process.once('exit', killed);
    child.once('exit', () => process.off('exit', killed));
    const server: ServerProcess = new ServerProcess(
      child,
      new Promise((resolve, reject) => {
        createInterface({ input: child.stdout }).on('line', (line) => {
          const url = /^Graft is ready: (\S+)\/graphql/.exec(line)?.[1];
          if (url) resolve(url);
        });
        child.once('error', reject);
        child.once('close', (code, signal) => {
          reject(new Error(`The server ended with ${code ?? signal} before it was ready.\n${server.recentLog}`));
        });
      }),
    );
    server.url.catch(() => undefined);
    createInterface({ input: child.stderr }).on('line', (line) => {
      server.log.push(line);
      if (server.log.length > LOG_LINES) server.log.shift();
    });
    return server;
  }

  /** The last lines that the server logged. */
  get recentLog(): string {
    return this.log.join('\n');
  }

  /** Asks the server to stop and waits until it has; one that does not is killed. */
  async stop(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill('SIGTERM');
    const timer = setTimeout(() => this.child.kill('SIGKILL'), STOP_MS);
    await this.exited;
    clearTimeout(timer);
  }
}

import { type ChildProcess, fork } from 'node:child_process';
import { tmpdir } from 'node:os';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Logger } from 'pino';
import { decodingThreads } from '../datasets/pictureSource.js';
import type { ProgressEvent } from '../training/types.js';
import {
  type DeviceInfo,
  type ErrorMessage,
  type FromWorker,
  type Job,
  JobError,
  type ResultOf,
  stoppedError,
  type ToWorker,
  type WorkerSettings,
} from './protocol.js';

/** Why a worker could not open its device; a code of the engine is kept, because it says what to do. */
function unavailable({ code, message }: ErrorMessage): JobError {
  if (code === 'NO_ADAPTER') return new JobError(code, message);
  return new JobError('WORKER_UNAVAILABLE', `The worker process cannot start (${code}): ${message}`);
}

export interface WorkerLimits {
  /** JavaScript heap, MiB. */
  readonly memoryMb: number;
  readonly startMs: number;
  readonly silenceMs: number;
  readonly stopMs: number;
}

interface Pending {
  readonly resolve: (result: never) => void;
  readonly reject: (error: JobError) => void;
  readonly onProgress: (event: ProgressEvent) => void;
}

const ENTRY = fileURLToPath(new URL('./worker.js', import.meta.url));
const KEPT_ERROR_LINES = 5;

/** One worker process, from the fork to its exit. */
export class WorkerProcess {
  /** Resolves when the process is gone, with the reason. */
  readonly exited: Promise<JobError>;
  private readonly child: ChildProcess;
  private readonly pending = new Map<number, Pending>();
  private readonly errorLines: string[] = [];
  private nextId = 1;
  private heardAt = Date.now();
  private killedBecause: string | null = null;
  private stopping = false;
  private watchdog: NodeJS.Timeout | null = null;
  private readonly opened: Promise<DeviceInfo>;
  private onOpened: { resolve: (device: DeviceInfo) => void; reject: (error: JobError) => void } | null = null;

  constructor(
    settings: WorkerSettings,
    private readonly limits: WorkerLimits,
    private readonly logger: Logger,
  ) {
    this.child = fork(ENTRY, [], {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${limits.memoryMb}`],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      // Mesa's drivers complain where there is no such folder.
      // Pictures are decoded in libuv's threads, four of them if nothing is said.
      env: { XDG_RUNTIME_DIR: tmpdir(), UV_THREADPOOL_SIZE: String(decodingThreads()), ...process.env },
    });
    this.forward('stdout');
    this.forward('stderr');
    this.opened = new Promise((resolve, reject) => {
      this.onOpened = { resolve, reject };
    });
    this.opened.catch(() => undefined);
    this.exited = new Promise((resolve) => {
      this.child.on('error', (error) => {
        this.killedBecause ??= error.message;
        if (this.child.pid === undefined) resolve(this.ended(null, null));
      });
      this.child.once('exit', (code, signal) => resolve(this.ended(code, signal)));
    });
    this.child.on('message', (message: FromWorker) => this.receive(message));
    this.send({ type: 'open', settings });
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  get isBusy(): boolean {
    return this.pending.size > 0;
  }

  /** Waits for the device. Throws JobError where it cannot be opened in time. */
  async open(): Promise<DeviceInfo> {
    const timer = setTimeout(
      () => this.kill(`it did not open its device within ${this.limits.startMs / 1000} s`),
      this.limits.startMs,
    );
    try {
      const device = await this.opened;
      this.watchdog = setInterval(() => this.checkSilence(), Math.min(1000, this.limits.silenceMs / 4));
      this.watchdog.unref();
      return device;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs one job. An aborted signal asks the worker to end it; a worker that does not answer in `stopMs` is killed. */
  run<J extends Job>(job: J, signal: AbortSignal, onProgress: (event: ProgressEvent) => void): Promise<ResultOf<J>> {
    const id = this.nextId++;
    let impatient: NodeJS.Timeout | undefined;
    const cancel = () => {
      this.send({ type: 'cancel', id });
      impatient = setTimeout(
        () => this.kill(`it did not end a cancelled job within ${this.limits.stopMs / 1000} s`),
        this.limits.stopMs,
      );
    };
    const result = new Promise<ResultOf<J>>((resolve, reject) => {
      this.pending.set(id, { resolve, reject, onProgress });
      this.heardAt = Date.now();
      this.send({ type: 'run', id, job });
      if (signal.aborted) cancel();
      else signal.addEventListener('abort', cancel, { once: true });
    });
    return result.finally(() => {
      signal.removeEventListener('abort', cancel);
      clearTimeout(impatient);
    });
  }

  /** Asks the process to end what it does and to exit; kills it after `stopMs`. Resolves when it is gone. */
  async stop(): Promise<void> {
    this.stopping = true;
    this.send({ type: 'stop' });
    const timer = setTimeout(() => this.child.kill('SIGKILL'), this.limits.stopMs);
    await this.exited;
    clearTimeout(timer);
  }

  /** Kills a process that was about to end by itself and does not within `stopMs`. */
  expectExit(): void {
    const timer = setTimeout(() => this.kill('it did not end by itself'), this.limits.stopMs);
    void this.exited.then(() => clearTimeout(timer));
  }

  private kill(reason: string): void {
    this.killedBecause ??= reason;
    this.child.kill('SIGKILL');
  }

  private send(message: ToWorker): void {
    // An error here means that the process is gone or going, which `exited` tells.
    if (this.child.connected) this.child.send(message, () => undefined);
  }

  private receive(message: FromWorker): void {
    this.heardAt = Date.now();
    switch (message.type) {
      case 'ready':
        this.onOpened?.resolve(message.device);
        break;
      case 'unavailable':
        this.onOpened?.reject(unavailable(message.error));
        break;
      case 'progress':
        this.pending.get(message.id)?.onProgress(message.event);
        break;
      case 'done':
        this.take(message.id)?.resolve(message.result as never);
        break;
      case 'failed':
        this.take(message.id)?.reject(new JobError(message.error.code, message.error.message));
        break;
      case 'alive':
        break;
    }
  }

  private take(id: number): Pending | undefined {
    const pending = this.pending.get(id);
    this.pending.delete(id);
    return pending;
  }

  private checkSilence(): void {
    if (!this.isBusy || Date.now() - this.heardAt < this.limits.silenceMs) return;
    this.kill(`it had a job and said nothing for ${this.limits.silenceMs / 1000} s`);
  }

  private ended(code: number | null, signal: NodeJS.Signals | null): JobError {
    if (this.watchdog) clearInterval(this.watchdog);
    const how = this.killedBecause ?? (signal ? `signal ${signal}` : `exit code ${code}`);
    const lines = this.errorLines.length > 0 ? ` Its last words: ${this.errorLines.join(' | ')}` : '';
    const error = new JobError('WORKER_CRASHED', `The worker process died (${how}).${lines}`);
    this.onOpened?.reject(error);
    for (const { reject } of this.pending.values()) reject(this.stopping ? stoppedError() : error);
    this.pending.clear();
    return error;
  }

  private forward(stream: 'stdout' | 'stderr'): void {
    const source = this.child[stream];
    if (!source) return;
    createInterface({ input: source }).on('line', (line) => {
      this.logger.debug({ worker: this.child.pid, stream }, line);
      if (stream === 'stderr' && line.trim()) {
        this.errorLines.push(line.trim().slice(0, 300));
        if (this.errorLines.length > KEPT_ERROR_LINES) this.errorLines.shift();
      }
    });
  }
}

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { ProgressEvent } from '../training/types.js';
import { abortedError, Lane } from './lane.js';
import {
  type DeviceInfo,
  type Job,
  type JobError,
  type ResultOf,
  stoppedError,
  TRANSIENT_FAILURES,
  type WorkerSettings,
} from './protocol.js';
import { type WorkerLimits, WorkerProcess } from './workerProcess.js';

export interface SupervisorOptions {
  readonly settings: WorkerSettings;
  readonly limits: WorkerLimits;
  readonly logger: Logger;
  /** Pause before the first restart; it doubles with every failure up to `MAX_BACKOFF_MS`. */
  readonly backoffMs?: number;
}

export interface DeviceStatus {
  readonly state: 'STARTING' | 'READY' | 'BUSY' | 'DOWN';
  readonly device: DeviceInfo | null;
  readonly restarts: number;
  readonly error: string | null;
}

const MAX_BACKOFF_MS = 30_000;
/** After so many failures in a row the worker is started again only when a job comes. */
const MAX_EAGER_RESTARTS = 5;
const MAX_WAITING_REQUESTS = 64;

/**
 * Keeps one worker process for the jobs that come: starts it with the first, restarts it when it dies, and gives each job
 * that it took down a typed error. One training and one evaluation or prediction run side by side, so that a long run does
 * not hold up predictions. A measurement of speed has the worker to itself.
 */
export class Supervisor {
  /** Every process from its fork to its end. */
  private readonly living = new Set<WorkerProcess>();
  /** The process whose device is open. */
  private worker: WorkerProcess | null = null;
  private starting: Promise<WorkerProcess> | null = null;
  private device: DeviceInfo | null = null;
  private lastError: JobError | null = null;
  private failures = 0;
  private failedAt = 0;
  private restarts = 0;
  private readonly stopping = new AbortController();
  private readonly trainings = new Lane(Number.POSITIVE_INFINITY);
  private readonly requests = new Lane(MAX_WAITING_REQUESTS);

  constructor(private readonly options: SupervisorOptions) {}

  private get stopped(): boolean {
    return this.stopping.signal.aborted;
  }

  /** Process id of the living worker. */
  get pid(): number | undefined {
    return this.worker?.pid;
  }

  /** State of the device, without starting anything. */
  status(): DeviceStatus {
    const state = this.worker ? (this.worker.isBusy ? 'BUSY' : 'READY') : this.lastError ? 'DOWN' : 'STARTING';
    const error = this.worker ? null : (this.lastError?.message ?? null);
    return {
      state: this.starting && !this.worker ? 'STARTING' : state,
      device: this.device,
      restarts: this.restarts,
      error,
    };
  }

  /** Waits until a worker has opened its device. Throws JobError where none can. */
  async ready(): Promise<DeviceInfo> {
    await this.acquire();
    return this.device as DeviceInfo;
  }

  /** Runs a job on the worker. Throws JobError with the code of what ended it. */
  run<J extends Job>(
    job: J,
    signal: AbortSignal = new AbortController().signal,
    onProgress: (event: ProgressEvent) => void = () => undefined,
  ): Promise<ResultOf<J>> {
    const task = async () => {
      const worker = await this.acquire();
      if (signal.aborted) throw abortedError();
      try {
        const result = await worker.run(job, signal, onProgress);
        this.failures = 0;
        return result;
      } catch (error) {
        if ((error as JobError).code === 'DEVICE_LOST') this.retire(worker, error as JobError);
        throw error;
      }
    };
    if (job.kind === 'train') return this.trainings.run(signal, task);
    // What a measurement would find beside a training is another number every time.
    if (job.kind === 'measure') return this.trainings.run(signal, () => this.requests.run(signal, task));
    return this.requests.run(signal, task);
  }

  /** Ends the worker; jobs that it has, or that wait, fail with STOPPED. */
  async stop(): Promise<void> {
    this.stopping.abort();
    const error = stoppedError();
    this.trainings.close(error);
    this.requests.close(error);
    await Promise.all([...this.living].map((worker) => worker.stop()));
    await this.starting?.catch(() => undefined);
  }

  private acquire(): Promise<WorkerProcess> {
    if (this.stopped) return Promise.reject(stoppedError());
    if (this.worker) return Promise.resolve(this.worker);
    if (this.starting) return this.starting;
    const wait = this.failedAt + this.backoff() - Date.now();
    // What cannot be opened now will not open a moment later either: say so at once instead of making a queue wait.
    if (this.lastError && !TRANSIENT_FAILURES.includes(this.lastError.code) && wait > 0)
      return Promise.reject(this.lastError);
    return this.start(this.lastError ? Math.max(0, wait) : 0);
  }

  private backoff(): number {
    if (this.failures === 0) return 0;
    return Math.min(MAX_BACKOFF_MS, (this.options.backoffMs ?? 500) * 2 ** (this.failures - 1));
  }

  private start(delayMs: number): Promise<WorkerProcess> {
    const starting = this.launch(delayMs);
    this.starting = starting;
    starting.catch(() => undefined);
    return starting;
  }

  private async launch(delayMs: number): Promise<WorkerProcess> {
    const { settings, limits, logger } = this.options;
    try {
      await sleep(delayMs, undefined, { signal: this.stopping.signal }).catch(() => undefined);
      if (this.stopped) throw stoppedError();
      if (this.lastError) this.restarts++;
      const worker = new WorkerProcess(settings, limits, logger);
      this.living.add(worker);
      void worker.exited.then((error) => {
        this.living.delete(worker);
        this.onExit(worker, error);
      });
      this.device = await worker.open();
      this.worker = worker;
      this.lastError = null;
      logger.info({ worker: worker.pid, adapter: this.device.description || this.device.architecture }, 'worker ready');
      return worker;
    } catch (error) {
      if (this.stopped) throw stoppedError();
      this.onFailure(error as JobError);
      throw error;
    } finally {
      this.starting = null;
    }
  }

  /** A worker without a device is replaced at once, so that no other job goes to it; it ends by itself. */
  private retire(worker: WorkerProcess, error: JobError): void {
    worker.expectExit();
    this.onExit(worker, error);
  }

  private onExit(worker: WorkerProcess, error: JobError): void {
    if (this.worker !== worker) return;
    this.worker = null;
    if (this.stopped) return;
    this.onFailure(error);
    if (this.failures <= MAX_EAGER_RESTARTS) void this.start(this.backoff());
  }

  private onFailure(error: JobError): void {
    this.failures++;
    this.failedAt = Date.now();
    this.lastError = error;
    this.options.logger.warn({ code: error.code, failures: this.failures }, error.message);
  }
}

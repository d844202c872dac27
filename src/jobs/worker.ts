/**
 * Entry of the worker process: owns the GPU, so that a crash of its driver ends this process and not the server. Speaks the
 * messages of protocol.ts with the server that forked it.
 */
import {
  describeError,
  type Executor,
  type FromWorker,
  type Job,
  type OpenExecutor,
  type ToWorker,
  type WorkerSettings,
} from './protocol.js';

const ALIVE_INTERVAL_MS = 1000;
/** The exit code of a worker whose device is gone (EX_TEMPFAIL of sysexits.h). */
const EXIT_DEVICE_LOST = 75;

let executor: Executor | null = null;
let stopping = false;
const running = new Map<number, { readonly abort: AbortController; readonly ended: Promise<void> }>();

/** Resolves when the message is on its way, which holds back a job that reports faster than the server reads. */
function send(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (!process.connected) return resolve();
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

async function open(settings: WorkerSettings): Promise<void> {
  try {
    const { openExecutor } = (await import(settings.executor)) as { openExecutor: OpenExecutor };
    executor = await openExecutor(settings);
  } catch (error) {
    await send({ type: 'unavailable', error: describeError(error) });
    process.exit(1);
  }
  void executor.lost.then(async () => {
    if (stopping) return;
    await Promise.race([
      Promise.all([...running.values()].map(({ ended }) => ended)),
      new Promise((resolve) => setTimeout(resolve, 5000)),
    ]);
    process.exit(EXIT_DEVICE_LOST);
  });
  setInterval(() => void send({ type: 'alive' }), ALIVE_INTERVAL_MS).unref();
  await send({ type: 'ready', device: executor.device });
}

async function run(id: number, job: Job, signal: AbortSignal): Promise<void> {
  try {
    if (!executor) throw new Error('a job came before the device was ready');
    const result = await executor.run(job, {
      signal,
      onProgress: (event) => (stopping ? Promise.resolve() : send({ type: 'progress', id, event })),
    });
    if (!stopping) await send({ type: 'done', id, result });
  } catch (error) {
    const described = signal.aborted ? { code: 'ABORTED', message: 'The job was cancelled.' } : describeError(error);
    if (described.code === 'INTERNAL_ERROR') console.error(error);
    if (!stopping) await send({ type: 'failed', id, error: described });
  } finally {
    running.delete(id);
  }
}

async function stop(): Promise<void> {
  stopping = true;
  for (const { abort } of running.values()) abort.abort();
  await Promise.all([...running.values()].map(({ ended }) => ended));
  await executor?.close();
  process.disconnect?.();
  process.exit(0);
}

process.on('message', (message: ToWorker) => {
  switch (message.type) {
    case 'open':
      void open(message.settings);
      break;
    case 'run': {
      const abort = new AbortController();
      running.set(message.id, { abort, ended: run(message.id, message.job, abort.signal) });
      break;
    }
    case 'cancel':
      running.get(message.id)?.abort.abort();
      break;
    case 'stop':
      void stop();
      break;
  }
});

// A server that died has nobody to report to, and its successor starts a worker of its own.
process.on('disconnect', () => {
  if (!stopping) process.kill(process.pid, 'SIGKILL');
});
// Ctrl-C and service managers signal the whole group; the server decides when its worker ends.
process.on('SIGINT', () => undefined);
process.on('SIGTERM', () => undefined);

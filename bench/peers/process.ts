import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { PeerName } from './catalogue.js';
import type { PeerReply, PeerRequest } from './peer.js';

const child = fileURLToPath(new URL('./child.js', import.meta.url));

/** A workload that takes a peer longer than this, preparation included, is given up. */
const LONGEST_MS = 180_000;

/** A peer in a process of its own, started when it is first asked, and again after it died or had to be stopped. */
export class PeerProcess {
  private process: ChildProcess | null = null;

  constructor(
    readonly name: PeerName,
    private readonly folder: string,
  ) {}

  /** Never rejects: what goes wrong is the reply's reason. */
  async measure(request: PeerRequest): Promise<Exclude<PeerReply, { type: 'ready' }>> {
    if (!this.process) {
      const started = fork(child, [this.name, this.folder], { stdio: ['ignore', 'ignore', 'pipe', 'ipc'] });
      this.process = started;
      const first = await this.nextReply(started);
      if (first.type === 'failed') return first;
    }
    this.process.send(request);
    const reply = await this.nextReply(this.process);
    return reply.type === 'ready' ? { type: 'failed', reason: 'it answered out of turn' } : reply;
  }

  private nextReply(from: ChildProcess): Promise<PeerReply> {
    return new Promise((resolve) => {
      let said = '';
      const hear = (chunk: Buffer) => {
        said = (said + chunk.toString()).slice(-2000);
      };
      const finish = (reply: PeerReply) => {
        clearTimeout(timer);
        from.off('message', finish).off('exit', onExit);
        from.stderr?.off('data', hear);
        resolve(reply);
      };
      const onExit = (code: number | null, signal: string | null) => {
        this.process = null;
        const words = said.split('\n').find((line) => /error/i.test(line)) ?? '';
        finish({ type: 'failed', reason: `its process ended with ${code ?? signal}. ${words}`.trim() });
      };
      const timer = setTimeout(() => {
        this.stop();
        finish({ type: 'failed', reason: `it took longer than ${LONGEST_MS / 1000} s` });
      }, LONGEST_MS);
      from.on('message', finish).on('exit', onExit);
      from.stderr?.on('data', hear);
    });
  }

  stop(): void {
    this.process?.kill('SIGKILL');
    this.process = null;
  }
}

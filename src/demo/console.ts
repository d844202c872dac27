/** Where the demo writes: a terminal, on which a progress line replaces itself, or a pipe or file, which gets plain lines. */
export interface Output {
  readonly isTerminal: boolean;
  readonly columns: number;
  write(text: string): void;
}

/** Between two progress lines that cannot replace each other. */
const PLAIN_INTERVAL_MS = 3_000;
const CLEAR_LINE = '\r\u001b[2K';

export function standardOutput(): Output {
  const { stdout } = process;
  // Whoever reads may go away (`npm run demo | head`); then there is nobody to write to.
  stdout.on('error', () => undefined);
  return {
    isTerminal: stdout.isTTY === true,
    get columns() {
      return stdout.columns ?? 100;
    },
    write: (text) => void stdout.write(text),
  };
}

export class Console {
  private hasProgress = false;
  private lastProgress = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly output: Output,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** Lines that stay. */
  print(...lines: readonly string[]): void {
    this.clear();
    for (const line of lines.length > 0 ? lines : ['']) this.output.write(`${line}\n`);
  }

  /** The title of a part, after an empty line. */
  heading(title: string): void {
    this.clear();
    this.output.write(this.output.isTerminal ? `\n\u001b[1m${title}\u001b[22m\n` : `\n${title}\n`);
  }

  /** A line that the next one replaces. */
  progress(line: string): void {
    if (this.output.isTerminal) {
      this.hasProgress = true;
      this.output.write(`${CLEAR_LINE}${line.slice(0, Math.max(20, this.output.columns - 1))}`);
    } else if (this.now() - this.lastProgress >= PLAIN_INTERVAL_MS) {
      this.lastProgress = this.now();
      this.output.write(`${line}\n`);
    }
  }

  /** Takes the progress line away. */
  clear(): void {
    this.lastProgress = Number.NEGATIVE_INFINITY;
    if (!this.hasProgress) return;
    this.hasProgress = false;
    this.output.write(CLEAR_LINE);
  }
}

import { bar, formatCount, formatPercent, formatSeconds } from './format.js';

/** An event of a run, as the subscription `runProgress` gives it. */
export interface RunProgress {
  readonly sequence: number;
  readonly kind: 'STATE' | 'PHASE' | 'COMPILED' | 'PICTURES' | 'STEP' | 'EPOCH';
  readonly state: 'QUEUED' | 'RUNNING' | 'SUCCEEDED' | 'FAILED' | 'CANCELLED';
  readonly phase: 'COMPILING' | 'FEATURES' | 'TRAINING' | 'EVALUATING' | null;
  readonly epoch: number | null;
  readonly epochs: number | null;
  readonly step: number | null;
  readonly steps: number | null;
  readonly loss: number | null;
  readonly accuracy: number | null;
  readonly validationAccuracy: number | null;
  readonly picturesPerSecond: number | null;
  readonly etaSeconds: number | null;
  readonly done: number | null;
  readonly total: number | null;
}

const BAR_WIDTH = 12;
const LABEL_WIDTH = 10;

const PHASES = { COMPILING: 'Compiling', FEATURES: 'Features', TRAINING: 'Training', EVALUATING: 'Measuring' } as const;

function line(label: string, share: number, facts: readonly (string | null)[]): string {
  const known = facts.filter((fact) => fact !== null);
  return `  ${label.padEnd(LABEL_WIDTH)}${bar(share, BAR_WIDTH)}  ${known.join('  ')}`;
}

const speed = (value: number | null) => (value === null ? null : `${formatCount(value)} pictures/s`);
const left = (seconds: number | null) => (seconds === null ? null : `${formatSeconds(seconds)} left`);

/** Follows a run's events and says it as a line; null before there is anything to say. */
export class ProgressLine {
  private phase: keyof typeof PHASES | null = null;
  private epochs = 0;
  private trainingSince = 0;

  /** `budgetSeconds`: training ends after that time, whatever the number of epochs. */
  constructor(
    private readonly budgetSeconds: number | null = null,
    private readonly now: () => number = () => performance.now() / 1000,
  ) {}

  take(event: RunProgress): string | null {
    switch (event.kind) {
      case 'STATE':
        return event.state === 'QUEUED' ? '  Waiting for the worker ...' : null;
      case 'PHASE':
        this.phase = event.phase;
        if (event.phase === 'TRAINING') this.trainingSince = this.now();
        return event.phase ? `  ${PHASES[event.phase]} ...` : null;
      case 'COMPILED':
        return null;
      case 'PICTURES':
        return this.pictures(event);
      case 'STEP':
        return this.step(event);
      case 'EPOCH':
        this.epochs = event.epoch ?? this.epochs;
        return null;
    }
  }

  private pictures({ done, total, picturesPerSecond, etaSeconds }: RunProgress): string | null {
    if (done === null || !total) return null;
    const label = PHASES[this.phase ?? 'FEATURES'];
    const counts = `${formatCount(done)}/${formatCount(total)} pictures`;
    return line(label, done / total, [counts, speed(picturesPerSecond), left(etaSeconds)]);
  }

  private step(event: RunProgress): string | null {
    const { epoch, epochs, step, steps, loss, accuracy, picturesPerSecond, etaSeconds } = event;
    if (!epoch || !epochs || !step || !steps) return null;
    const elapsed = this.now() - this.trainingSince;
    const isBudgeted = this.budgetSeconds !== null;
    const rest = this.budgetSeconds === null ? etaSeconds : Math.max(0, this.budgetSeconds - elapsed);
    const share =
      this.budgetSeconds === null ? ((epoch - 1) * steps + step) / (epochs * steps) : elapsed / this.budgetSeconds;
    return line('Training', share, [
      isBudgeted ? `epoch ${epoch}  step ${step}/${steps}` : `epoch ${epoch}/${epochs}`,
      loss === null ? null : `loss ${loss.toFixed(3)}`,
      accuracy === null ? null : `accuracy ${formatPercent(accuracy)}`,
      speed(picturesPerSecond),
      left(rest),
    ]);
  }
}

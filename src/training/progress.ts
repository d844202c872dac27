import type { ProgressEvent } from './types.js';

type StepPlace = Pick<Extract<ProgressEvent, { type: 'step' }>, 'epoch' | 'epochs' | 'step' | 'steps' | 'learningRate'>;

const MIN_INTERVAL_MS = 200;

/** Turns counts into progress events: at most five a second, plus the last one of each epoch or phase. */
export class ProgressMeter {
  private readonly started = performance.now();
  private lastReport = Number.NEGATIVE_INFINITY;
  private picturesSeen = 0;

  constructor(private readonly report: (event: ProgressEvent) => void | Promise<void>) {}

  private due(isLast: boolean): boolean {
    const now = performance.now();
    if (!isLast && now - this.lastReport < MIN_INTERVAL_MS) return false;
    this.lastReport = now;
    return true;
  }

  async pictures(done: number, total: number): Promise<void> {
    if (!this.due(done === total)) return;
    const seconds = (performance.now() - this.started) / 1000;
    const picturesPerSecond = seconds > 0 ? done / seconds : 0;
    const etaSeconds = picturesPerSecond > 0 ? (total - done) / picturesPerSecond : null;
    await this.report({ type: 'pictures', done, total, picturesPerSecond, etaSeconds });
  }

  async step(place: StepPlace, measured: { loss: number; accuracy: number }, pictures: number): Promise<void> {
    this.picturesSeen += pictures;
    if (!this.due(place.step === place.steps)) return;
    const seconds = (performance.now() - this.started) / 1000;
    const stepsDone = (place.epoch - 1) * place.steps + place.step;
    const stepsLeft = place.epochs * place.steps - stepsDone;
    await this.report({
      type: 'step',
      ...place,
      ...measured,
      picturesPerSecond: seconds > 0 ? this.picturesSeen / seconds : 0,
      etaSeconds: (seconds / stepsDone) * stepsLeft,
    });
  }
}

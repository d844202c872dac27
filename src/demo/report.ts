import { bar, type Column, clip, formatCount, formatMillions, formatPercent, formatSeconds, table } from './format.js';
import type { Dataset, Device, PicturePrediction, Run, ZooNetwork } from './operations.js';

/** The demo's parts as lines. Pure: data in, text out. */

const MAX_CLASSES = 20;
const COMPARISON_BAR = 30;

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });
const indent = (lines: readonly string[]): string[] => lines.map((line) => `  ${line}`);

export function deviceLine({ vendor, description, isSoftware }: Device): string {
  const name = description || vendor || 'unknown adapter';
  return isSoftware ? `${name} (software adapter: computes on the CPU)` : name;
}

export function zooLines(zoo: readonly ZooNetwork[]): string[] {
  const columns = [left('id'), right('input'), right('parameters'), right('multiply-adds'), left('weights')];
  const here = zoo.filter(({ source }) => source !== null && !source.startsWith('https:'));
  const rows = here.map(({ id, input, parameters, multiplyAdds, pretrained, source, license }) => [
    id,
    `${input.width} x ${input.height}`,
    formatMillions(parameters),
    multiplyAdds === null ? '-' : formatMillions(multiplyAdds),
    pretrained ? `pretrained, ${license ?? 'licence unknown'}, ${clip(sourceName(source), 32)}` : 'random',
  ]);
  const more = zoo.length - here.length;
  const others =
    more > 0 ? [`... and ${more} more; where weights are published, they are downloaded when one is created`] : [];
  return indent([...table(columns, rows), ...others]);
}

/** Of a package on npm its name, without the path in it. */
const sourceName = (source: string | null): string => /^npm:(@[^/]+\/)?[^/]+/.exec(source ?? '')?.[0] ?? source ?? '';

export function datasetLines({ classes, warnings }: Dataset): string[] {
  const columns = [left('class'), right('training'), right('validation'), right('test')];
  const rows = classes
    .slice(0, MAX_CLASSES)
    .map(({ label, train, validation, test }) => [clip(label, 40), ...[train, validation, test].map(formatCount)]);
  const more = classes.length > MAX_CLASSES ? [`... and ${classes.length - MAX_CLASSES} more classes`] : [];
  const sum = (split: 'train' | 'validation' | 'test') =>
    formatCount(classes.reduce((total, counts) => total + counts[split], 0));
  const lines = table(columns, [...rows, ['all', sum('train'), sum('validation'), sum('test')]]);
  const notes = warnings.map(({ message }) => `Warning: ${clip(message, 88)}`);
  return indent([...lines.slice(0, -1), ...more, lines.at(-1) as string, ...notes]);
}

/** `pictures`: how many went through the frozen trunk. */
export function runLines(run: Run & { readonly stepsTaken: number }, pictures: number): string[] {
  const { secondsFeatures, secondsTrain, epochs, stepsTaken } = run;
  const lines: string[] = [];
  if (pictures > 0 && secondsFeatures) {
    const speed = formatCount(pictures / secondsFeatures);
    const what = `${formatCount(pictures)} pictures through the frozen trunk, once`;
    lines.push(`Features: ${what}, in ${formatSeconds(secondsFeatures)} (${speed} pictures/s)`);
  }
  const [first] = epochs;
  const last = epochs.at(-1);
  if (first && last) {
    const count = `${epochs.length} epoch${epochs.length === 1 ? '' : 's'} (${formatCount(stepsTaken)} steps)`;
    const losses = [...new Set([first, last])].map(({ trainLoss }) => trainLoss.toFixed(3)).join(' -> ');
    lines.push(`Training: ${count} and validation in ${formatSeconds(secondsTrain ?? 0)}, loss ${losses}`);
    const best = epochs.reduce((a, b) => ((b.validationAccuracy ?? 0) > (a.validationAccuracy ?? 0) ? b : a));
    if (best.validationAccuracy !== null) {
      lines.push(
        `Kept:     epoch ${best.epoch}, right on ${formatPercent(best.validationAccuracy)} of the validation pictures`,
      );
    }
  }
  return indent(lines);
}

export interface PredictedPicture extends PicturePrediction {
  readonly path: string;
  readonly label: string;
}

export function predictionLines(pictures: readonly PredictedPicture[]): string[] {
  const columns = [left('picture'), left('true class'), left('prediction'), ...['', ''].map(left)];
  const rows = pictures.map(({ path, label, predictions, error }) => {
    const shown = predictions.map((item) => `${clip(item.label, 14)} ${formatPercent(item.probability)}`);
    const first = predictions[0]?.label === label ? `${shown[0]}` : `${shown[0]} (wrong)`;
    return [shortPath(path), clip(label, 14), ...(error === null ? [first, ...shown.slice(1)] : [clip(error, 40)])];
  });
  return indent(table(columns, rows));
}

/** The file's name: its folders are in the next column. */
const shortPath = (path: string): string => clip(path.split('/').at(-1) ?? path, 26);

export interface Contestant {
  readonly name: string;
  readonly accuracy: number;
  readonly note: string;
}

export function comparisonLines(contestants: readonly Contestant[]): string[] {
  const width = Math.max(...contestants.map(({ name }) => name.length));
  return indent(
    contestants.map(({ name, accuracy, note }) => {
      const share = formatPercent(accuracy).padStart(7);
      return `${name.padEnd(width)}  ${bar(accuracy, COMPARISON_BAR)} ${share}  ${note}`.trimEnd();
    }),
  );
}

/** The accuracy of always naming the class that the test has most of. */
export function guessingAccuracy({ classes }: Dataset): number {
  const counts = classes.map(({ test }) => test);
  return Math.max(...counts) / counts.reduce((sum, count) => sum + count, 0);
}

import { type Column, clip, formatCount, formatPercent, table } from './format.js';

export interface ClassMetrics {
  readonly label: string;
  readonly support: number;
  readonly precision: number | null;
  readonly recall: number | null;
  readonly f1: number | null;
}

/** More classes than this do not fit next to each other in 100 columns. */
const MAX_MATRIX_CLASSES = 10;
const MAX_CONFUSIONS = 10;
const WIDTH = 96;

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });

/**
 * Lines that show `confusion[actual][predicted]`: as a matrix, zeros as dots, or, of many classes, the most frequent mistakes.
 */
export function confusionLines(labels: readonly string[], confusion: readonly (readonly number[])[]): string[] {
  if (labels.length > MAX_MATRIX_CLASSES) return frequentConfusions(labels, confusion);
  const labelWidth = Math.min(14, Math.max(...labels.map((label) => label.length)));
  const columnWidth = Math.max(4, Math.floor((WIDTH - labelWidth) / labels.length) - 2);
  const columns = [left(''), ...labels.map((label) => right(clip(label, Math.min(columnWidth, labelWidth))))];
  const rows = labels.map((label, actual) => [
    clip(label, labelWidth),
    ...labels.map((_, predicted) => String(confusion[actual]?.[predicted] ?? 0).replace(/^0$/, '·')),
  ]);
  return table(columns, rows);
}

function frequentConfusions(labels: readonly string[], confusion: readonly (readonly number[])[]): string[] {
  const mistakes = confusion
    .flatMap((row, actual) => row.map((pictures, predicted) => ({ actual, predicted, pictures })))
    .filter(({ actual, predicted, pictures }) => actual !== predicted && pictures > 0)
    .sort((a, b) => b.pictures - a.pictures);
  if (mistakes.length === 0) return ['No picture was taken for something else.'];
  const name = (index: number) => clip(labels[index] ?? '', 40);
  const rows = mistakes
    .slice(0, MAX_CONFUSIONS)
    .map(({ actual, predicted, pictures }) => [name(actual), name(predicted), formatCount(pictures)]);
  return table([left('true class'), left('taken for'), right('pictures')], rows);
}

/** Lines with precision, recall and F1 of each class; of many classes, those with the lowest F1. */
export function metricLines(classes: readonly ClassMetrics[]): string[] {
  const isAll = classes.length <= 2 * MAX_MATRIX_CLASSES;
  const shown = isAll ? classes : [...classes].sort((a, b) => (a.f1 ?? 0) - (b.f1 ?? 0)).slice(0, MAX_MATRIX_CLASSES);
  const columns = [left('class'), right('precision'), right('recall'), right('F1'), right('pictures')];
  const rows = shown.map(({ label, precision, recall, f1, support }) => [
    clip(label, 40),
    formatPercent(precision),
    formatPercent(recall),
    formatPercent(f1),
    formatCount(support),
  ]);
  return [
    ...table(columns, rows),
    ...(isAll ? [] : [`... and ${classes.length - shown.length} more with a higher F1`]),
  ];
}

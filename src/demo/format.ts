/** Text for people, at most 100 columns wide. */

export interface Column {
  readonly title: string;
  readonly align: 'left' | 'right';
}

const count = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 1234567 -> 1,234,567. */
export const formatCount = (value: number): string => count.format(value);

/** 0.875 -> 87.5 %; null (nothing to divide by) -> -. */
export const formatPercent = (share: number | null): string => (share === null ? '-' : `${(100 * share).toFixed(1)} %`);

/** 4.23 -> 4.2 s, 42.3 -> 42 s, 125 -> 2 min 05 s. */
export function formatSeconds(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`;
}

/** 2223872 -> 2.2 M, 4512 -> 4.5 k. */
export function formatMillions(value: number): string {
  for (const [size, unit] of [
    [1e9, 'G'],
    [1e6, 'M'],
    [1e3, 'k'],
  ] as const) {
    if (value >= size) return `${(value / size).toFixed(1)} ${unit}`;
  }
  return String(value);
}

/** The text in `width` columns at most; what is cut off leaves an ellipsis. */
export const clip = (text: string, width: number): string =>
  text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;

/** `share` (0 to 1) of `width` columns filled. */
export function bar(share: number, width: number): string {
  const filled = Math.round(Math.min(1, Math.max(0, share)) * width);
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

const pad = (text: string, width: number, align: Column['align']): string =>
  align === 'left' ? text.padEnd(width) : text.padStart(width);

/** Lines of a table: a line of titles, then the rows, columns two blanks apart. */
export function table(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const lines = [columns.map(({ title }) => title), ...rows];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => line[index]?.length ?? 0)));
  return lines.map((line) =>
    columns
      .map(({ align }, index) => pad(line[index] ?? '', widths[index] as number, align))
      .join('  ')
      .trimEnd(),
  );
}

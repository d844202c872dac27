import type { AdapterDescription } from '../src/kernels/adapter.js';
import type { Ceiling } from './ceiling.js';
import type { Compilation } from './compilation.js';
import type { Measurement } from './measure.js';
import { geometricMean } from './statistics.js';

/** What `--json` prints. */
export interface Report {
  readonly adapter: { readonly name: string; readonly isSoftware: boolean; readonly kernelFamily: string };
  readonly seed: number;
  readonly ceiling: Ceiling;
  readonly workloads: readonly Measurement[];
  readonly compilation: readonly Compilation[];
  /** Of the ratios of all workloads that a peer ran, by peer. */
  readonly geomean: Readonly<Record<string, number>>;
}

export const adapterName = ({ description, vendor, architecture }: AdapterDescription): string =>
  description || `${vendor} ${architecture}`;

export function geometricMeans(workloads: readonly Measurement[]): Record<string, number> {
  const peers = new Set(workloads.flatMap((workload) => Object.keys(workload.peers)));
  return Object.fromEntries(
    [...peers].map((peer) => {
      const ratios = workloads.flatMap((workload) => workload.peers[peer]?.ratio ?? []);
      return [peer, geometricMean(ratios)];
    }),
  );
}

const COLUMNS = ['workload', 'ms', 'GFLOP/s', 'GB/s', 'pictures/s', 'ceiling', 'dispatches', 'MiB', 'error'] as const;
const WIDTHS = [38, 9, 8, 7, 10, 8, 11, 8, 9];

const row = (cells: readonly string[], widths: readonly number[]): string =>
  cells.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? PEER_WIDTH))).join(' ');

const PEER_WIDTH = 22;

const digits = (value: number): string => value.toFixed(value < 10 ? 2 : value < 100 ? 1 : 0);

/** The table's head, for these peers. */
export const tableHead = (peers: readonly string[]): string => row([...COLUMNS, ...peers], WIDTHS);

/** One workload's line of the table: a peer's cell is its time and the ratio to ours. */
export function tableRow(m: Measurement, peers: readonly string[]): string {
  const cells = [
    m.name,
    digits(m.ms),
    digits(m.gflops),
    digits(m.gbps),
    m.picturesPerSecond === null ? '-' : digits(m.picturesPerSecond),
    `${(100 * m.share).toFixed(0)} %`,
    String(m.dispatches),
    (m.bytes / 2 ** 20).toFixed(1),
    m.maxError === null ? '-' : m.maxError.toExponential(1),
    ...peers.map((peer) => {
      const result = m.peers[peer];
      return result ? `${digits(result.ms)} (${digits(result.ratio)}x)` : '-';
    }),
  ];
  return row(cells, WIDTHS);
}

import type { ReferenceResults, Results } from '../reference/samples.js';
import type { PeerSpec } from '../specs.js';
import type { Timing } from '../timing.js';

/** A workload that another engine has ready. */
export interface PreparedPeer {
  /** As `Prepared.run`. */
  run(): Promise<unknown> | void;
  /** Waits for the device. */
  idle(): Promise<void>;
  /** As `Prepared.results`: the same arrays in the same logical order. */
  results(): Promise<Results>;
}

/** Another engine. Throws, in its own words, where it cannot do a workload. */
export interface Peer {
  prepare(spec: PeerSpec, name: string, seed: number): Promise<PreparedPeer>;
}

/** Gives modules of the folder that the peers are installed in. */
export type Load = <T>(name: string) => Promise<T>;

export interface PeerRequest {
  readonly name: string;
  readonly spec: PeerSpec;
  readonly seed: number;
  readonly reference: ReferenceResults | null;
}

export type PeerReply =
  | { readonly type: 'ready' }
  | { readonly type: 'done'; readonly timing: Timing; readonly maxError: number | null }
  | { readonly type: 'failed'; readonly reason: string };

import type { Conversion } from './conversion.js';
import type { Preprocessing } from './network.js';

export interface ReceiptFile {
  /** As it was uploaded, or its path in the export. */
  readonly name: string;
  readonly bytes: number;
  /** SHA-256, hex. */
  readonly hash: string;
}

/** Who said a part of the preprocessing. `zoo`: its manifest. `default`: nobody, so ImageNet's was taken. */
export type PreprocessingOrigin = 'file' | 'zoo' | 'request' | 'default' | 'network';
export interface PreprocessingSource {
  readonly field: keyof Preprocessing;
  readonly origin: PreprocessingOrigin;
}

/** How far apart two computations of the same network were. */
export interface Comparison {
  /** The other side: an engine with its version, or the reference outputs given. */
  readonly against: string;
  /** Number of inputs that went through both. */
  readonly inputs: number;
  /** What was compared: the network's logits or their softmax. */
  readonly values: 'logits' | 'probabilities';
  /** Largest difference of two values, and the same over the largest value expected for that input. */
  readonly largestDifference: number;
  readonly relativeDifference: number;
  /** The picture or input that showed it. */
  readonly input: string;
  /** Of the relative difference. */
  readonly tolerance: number;
  /** The first layer whose values differ by more than the tolerance; null where none does or nothing tells. */
  readonly divergingLayer: { readonly name: string; readonly relativeDifference: number } | null;
}

/** What a comparison gave, or why there was none. */
export type ComparisonOutcome = { readonly comparison: Comparison } | { readonly notCompared: string };

/** What happened when a network came in or went out. Stored as JSON. */
export interface Receipt {
  readonly files: readonly ReceiptFile[];
  readonly conversions: readonly Conversion[];
  readonly preprocessing: Preprocessing;
  readonly preprocessingSources: readonly PreprocessingSource[];
  readonly comparison: Comparison | null;
  /** Why nothing was compared; null where it was. */
  readonly notCompared: string | null;
  /** What a person should look at. */
  readonly warnings: readonly string[];
}

const FIELDS: readonly (keyof Preprocessing)[] = [
  'height',
  'width',
  'fit',
  'cropFraction',
  'interpolation',
  'channelOrder',
  'scale',
  'mean',
  'std',
];

export const preprocessingSources = (
  originOf: (field: keyof Preprocessing) => PreprocessingOrigin,
): PreprocessingSource[] => FIELDS.map((field) => ({ field, origin: originOf(field) }));

import { createHash } from 'node:crypto';
import type { Conversion } from '../models/conversion.js';
import type { Preprocessing } from '../models/network.js';
import {
  type Comparison,
  type ComparisonOutcome,
  preprocessingSources,
  type Receipt,
  type ReceiptFile,
} from '../models/receipt.js';

export const fileReceipt = (name: string, data: Uint8Array): ReceiptFile => ({
  name,
  bytes: data.byteLength,
  hash: createHash('sha256').update(data).digest('hex'),
});

const percent = (value: number): string => `${(100 * value).toPrecision(3)} %`;

/** A difference that nobody may overlook; null within the tolerance. */
export function differenceWarning(comparison: Comparison): string | null {
  const { relativeDifference, tolerance, input, against, divergingLayer, values } = comparison;
  if (relativeDifference <= tolerance) return null;
  const where = divergingLayer
    ? `The two part at the layer ${divergingLayer.name} (${percent(divergingLayer.relativeDifference)}).`
    : 'Nothing tells at which layer.';
  return `WRONG RESULTS: the ${values} differ from ${against} by ${percent(relativeDifference)} of the largest value (allowed are ${percent(tolerance)}), most for ${input}. ${where} Do not use the network before this is explained.`;
}

/** The receipt of an export of a network that Graft keeps. */
export function exportReceipt(
  files: readonly ReceiptFile[],
  conversions: readonly Conversion[],
  preprocessing: Preprocessing,
  outcome: ComparisonOutcome,
): Receipt {
  const comparison = 'comparison' in outcome ? outcome.comparison : null;
  const warning = comparison && differenceWarning(comparison);
  return {
    files,
    conversions,
    preprocessing,
    preprocessingSources: preprocessingSources(() => 'network'),
    comparison,
    notCompared: 'notCompared' in outcome ? outcome.notCompared : null,
    warnings: warning ? [warning] : [],
  };
}

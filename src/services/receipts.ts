import { createHash } from 'node:crypto';
import type { ImportedModel, ModelFiles } from '../models/detect.js';
import type { ExportedModel } from '../models/exports/exportModel.js';
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

/** Parts of the preprocessing whose being wrong shows nowhere but in bad predictions. */
const SILENT: readonly (keyof Preprocessing)[] = ['channelOrder', 'scale', 'mean', 'std'];

/** The receipt of an import from these files. */
export function importReceipt(
  files: ModelFiles,
  imported: Pick<ImportedModel, 'network' | 'conversion' | 'preprocessingSources'>,
  outcome: ComparisonOutcome,
): Receipt {
  const { conversion, preprocessingSources: sources, network } = imported;
  const comparison = 'comparison' in outcome ? outcome.comparison : null;
  const notCompared = 'notCompared' in outcome ? outcome.notCompared : null;
  const guessed = sources.filter(({ field, origin }) => origin === 'default' && SILENT.includes(field));
  const isConfirmed = comparison !== null && comparison.relativeDifference <= comparison.tolerance;
  const assumed = `${guessed.map(({ field }) => field).join(', ')}: neither the file nor the request says it, so ImageNet's is assumed. If the network was trained otherwise, it is wrong without an error: give \`preprocessing\`, or pictures with reference outputs.`;
  const warnings = [
    comparison && differenceWarning(comparison),
    notCompared?.startsWith('It was tried') ? `The reference was not compared. ${notCompared}` : null,
    guessed.length > 0 && !isConfirmed ? `Preprocessing ${assumed}` : null,
  ];
  return {
    files: Object.entries(files).map(([name, data]) => fileReceipt(name, data)),
    conversions: [conversion],
    preprocessing: network.preprocessing,
    preprocessingSources: sources,
    comparison,
    notCompared,
    warnings: warnings.filter((warning) => warning !== null),
  };
}

/** The receipt of an export of a network that Graft keeps. */
export function exportReceipt(
  files: readonly ReceiptFile[],
  { conversions, warnings }: Pick<ExportedModel, 'conversions' | 'warnings'>,
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
    warnings: warning ? [warning, ...warnings] : warnings,
  };
}

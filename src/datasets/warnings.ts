import type { IngestedPicture, IngestWarning } from './ingest.js';

/** Paths that one warning lists. */
const MAX_PATHS = 100;

const plural = (count: number, one: string, many = `${one}s`): string => `${count} ${count === 1 ? one : many}`;

/** What is doubtful about a data set, for its owner to judge. */
export function findWarnings(
  classes: readonly string[],
  pictures: readonly IngestedPicture[],
  skipped: readonly { readonly path: string }[],
): IngestWarning[] {
  return [
    ...smallClasses(classes, pictures),
    ...repeatedPictures(pictures),
    ...emptySplits(pictures),
    ...(skipped.length === 0
      ? []
      : [warning('SKIPPED_FILES', `${plural(skipped.length, 'file was', 'files were')} skipped.`, skipped)]),
  ];
}

function warning(
  code: IngestWarning['code'],
  message: string,
  about: readonly { readonly path: string }[],
): IngestWarning {
  return { code, message, paths: about.slice(0, MAX_PATHS).map(({ path }) => path) };
}

function smallClasses(classes: readonly string[], pictures: readonly IngestedPicture[]): IngestWarning[] {
  const byClass = classes.map((): IngestedPicture[] => []);
  for (const picture of pictures) byClass[picture.labelIndex]?.push(picture);
  return classes.flatMap((label, index) => {
    const own = byClass[index] ?? [];
    if (own.length >= 2) return [];
    return [warning('SMALL_CLASS', `The class ${JSON.stringify(label)} has only one picture.`, own)];
  });
}

function repeatedPictures(pictures: readonly IngestedPicture[]): IngestWarning[] {
  const byHash = new Map<string, IngestedPicture[]>();
  for (const picture of pictures) {
    const same = byHash.get(picture.hash);
    if (same) same.push(picture);
    else byHash.set(picture.hash, [picture]);
  }
  const repeated = [...byHash.values()].filter((same) => same.length > 1);
  const leaked = repeated.filter((same) => new Set(same.map(({ split }) => split)).size > 1);
  const warnings: IngestWarning[] = [];
  if (repeated.length > 0) {
    const twoLabels = repeated.filter((same) => new Set(same.map(({ labelIndex }) => labelIndex)).size > 1).length;
    const labels = twoLabels > 0 ? `, ${twoLabels} of them in more than one class` : '';
    const message = `${plural(repeated.length, 'picture')} ${repeated.length === 1 ? 'is' : 'are'} there more than once${labels}.`;
    warnings.push(warning('DUPLICATE', message, repeated.flat()));
  }
  if (leaked.length > 0) {
    const message = `${plural(leaked.length, 'picture')} ${leaked.length === 1 ? 'lies' : 'lie'} in more than one split: what is measured there is too good.`;
    warnings.push(warning('SPLIT_LEAK', message, leaked.flat()));
  }
  return warnings;
}

const SPLITS = [
  ['train', 'Nothing can be trained on this data set.'],
  ['validation', 'A run cannot tell which epoch was the best.'],
  ['test', 'The network cannot be measured on pictures that no run has seen.'],
] as const;

function emptySplits(pictures: readonly IngestedPicture[]): IngestWarning[] {
  const present = new Set(pictures.map(({ split }) => split));
  return SPLITS.filter(([split]) => !present.has(split)).map(([split, consequence]) =>
    warning('EMPTY_SPLIT', `There are no ${split} pictures. ${consequence}`, []),
  );
}

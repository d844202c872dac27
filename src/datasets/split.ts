import { createHash } from 'node:crypto';
import { DatasetError } from './errors.js';
import type { SplitName } from './layout.js';

export interface Labelled {
  readonly path: string;
  readonly hash: string;
  readonly label: string;
  /** Null: to be decided. */
  readonly split: SplitName | null;
}

export interface SplitShares {
  readonly validationShare: number;
  readonly testShare: number;
}

/** Shares for class folders, where nothing else is said. */
const DEFAULT_SHARE = 0.15;

/** Fills in the defaults. Throws INVALID_OPTIONS. */
export function checkShares(
  given: { readonly validationShare?: number; readonly testShare?: number },
  hasSplitFolders: boolean,
): SplitShares {
  const fallback = hasSplitFolders ? 0 : DEFAULT_SHARE;
  const shares = { validationShare: given.validationShare ?? fallback, testShare: given.testShare ?? fallback };
  for (const [name, share] of Object.entries(shares)) {
    if (!(share >= 0 && share <= 0.9)) {
      throw new DatasetError('INVALID_OPTIONS', `${name} is ${share}; allowed is 0 to 0.9.`);
    }
  }
  if (shares.validationShare + shares.testShare > 0.9) {
    throw new DatasetError(
      'INVALID_OPTIONS',
      `validationShare ${shares.validationShare} and testShare ${shares.testShare} leave too little for training; together they are at most 0.9.`,
    );
  }
  return shares;
}

/**
 * Gives every picture a split. A split for which the archive has a folder keeps exactly the pictures of that folder; for the
 * others, shares of each class's training pictures are drawn. The draw depends on the seed and the pictures' contents only, not on
 * names or order, and equal pictures stay together.
 */
export function assignSplits<T extends Labelled>(
  pictures: readonly T[],
  shares: SplitShares,
  seed: number,
): (T & { readonly split: SplitName })[] {
  const own = new Set(pictures.map(({ split }) => split));
  const wanted = {
    test: own.has('test') ? 0 : shares.testShare,
    validation: own.has('validation') ? 0 : shares.validationShare,
  };
  const drawn = new Map<string, SplitName>();
  const drawable = pictures.filter(({ split }) => split === null || split === 'train');
  for (const label of [...new Set(drawable.map((picture) => picture.label))].sort()) {
    const hashes = new Set(drawable.filter((picture) => picture.label === label).map(({ hash }) => hash));
    // A picture that lies in two classes goes where the first of them sent it.
    const free = [...hashes].filter((hash) => !drawn.has(hash));
    for (const [hash, split] of drawClass(free, wanted, seed)) drawn.set(hash, split);
  }
  return pictures.map((picture) => {
    const split = picture.split === null || picture.split === 'train' ? drawn.get(picture.hash) : picture.split;
    return { ...picture, split: split as SplitName };
  });
}

function drawClass(
  hashes: readonly string[],
  shares: { readonly test: number; readonly validation: number },
  seed: number,
): [string, SplitName][] {
  const key = (hash: string) => createHash('sha256').update(`${seed} ${hash}`).digest('hex');
  const keyed = hashes.map((hash) => ({ hash, key: key(hash) })).sort((a, b) => (a.key < b.key ? -1 : 1));
  const parts = (shares.test > 0 ? 1 : 0) + (shares.validation > 0 ? 1 : 0);
  // One of each split at least, as long as one is left for training.
  const count = (share: number) =>
    share === 0 || keyed.length <= parts ? 0 : Math.max(1, Math.round(share * keyed.length));
  const test = count(shares.test);
  const validation = Math.min(count(shares.validation), keyed.length - test - 1);
  return keyed.map(({ hash }, index): [string, SplitName] => [
    hash,
    index < test ? 'test' : index < test + validation ? 'validation' : 'train',
  ]);
}

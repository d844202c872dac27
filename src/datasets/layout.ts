/** Where the labels come from: the first folder of a path, or the second where the first are train, validation and test. */
export type SplitName = 'train' | 'validation' | 'test';

export interface Placed {
  readonly label: string;
  /** Null: the archive does not say. */
  readonly split: SplitName | null;
}

/** What people call the folders, in lower case. */
const SPLIT_NAMES: Readonly<Record<string, SplitName>> = {
  train: 'train',
  training: 'train',
  val: 'validation',
  valid: 'validation',
  validation: 'validation',
  test: 'test',
  testing: 'test',
};

const splitOf = (folder: string): SplitName | null =>
  Object.hasOwn(SPLIT_NAMES, folder.toLowerCase()) ? (SPLIT_NAMES[folder.toLowerCase()] as SplitName) : null;

/**
 * Finds out how an archive is laid out from the paths of its pictures, and places each: by path, its label and split, or why it
 * has none. A folder that everything lies in is looked through.
 */
export function placePictures(paths: readonly string[]): Map<string, Placed | { readonly misplaced: string }> {
  const split = paths.map((path) => ({ path, parts: path.split('/') }));
  // Files beside the class folders do not say how the folders are nested.
  let foldered = split.filter(({ parts }) => parts.length > 1);
  let depth = 0;
  while (!hasSplitFolders(foldered, depth) && isWrapped(foldered, depth)) {
    depth++;
    foldered = foldered.filter(({ parts }) => parts.length > depth + 1);
  }
  const hasSplits = hasSplitFolders(foldered, depth);
  return new Map(split.map(({ path, parts }) => [path, place(parts.slice(depth), hasSplits)]));
}

type Split = { readonly path: string; readonly parts: readonly string[] };

/** Every picture lies in the same folder, and no class would be lost without it. */
function isWrapped(pictures: readonly Split[], depth: number): boolean {
  const outer = pictures[0]?.parts[depth];
  return outer !== undefined && pictures.every(({ parts }) => parts[depth] === outer && parts.length > depth + 2);
}

/**
 * Two folders named like splits, or nothing but such folders, with class folders in them. A class may be called "train": then
 * pictures lie in it directly.
 */
function hasSplitFolders(pictures: readonly Split[], depth: number): boolean {
  const folders = new Set(pictures.map(({ parts }) => parts[depth] as string));
  const splits = new Set([...folders].map(splitOf).filter((split) => split !== null));
  const isNested = pictures.every(({ parts }) => splitOf(parts[depth] as string) === null || parts.length > depth + 2);
  return (
    isNested && (splits.size > 1 || (splits.size === 1 && [...folders].every((folder) => splitOf(folder) !== null)))
  );
}

function place(parts: readonly string[], hasSplits: boolean): Placed | { readonly misplaced: string } {
  const [first = '', second = ''] = parts;
  if (!hasSplits) return parts.length < 2 ? { misplaced: 'it lies in no class folder' } : { label: first, split: null };
  const split = splitOf(first);
  if (split === null) return { misplaced: 'it lies in none of the folders for training, validation and test' };
  return { label: second, split };
}

import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** A set of emoji by one hand, from an npm package of the Iconify project. */
export interface Designer {
  /** Short, for file names. */
  readonly id: string;
  readonly name: string;
  /** SPDX identifier of the pictures' licence. */
  readonly license: string;
  readonly package: string;
}

/** Pictures of these are learned from. */
export const TRAINING_DESIGNERS: readonly Designer[] = [
  { id: 'noto', name: 'Noto Emoji by Google', license: 'Apache-2.0', package: '@iconify-json/noto' },
  { id: 'openmoji', name: 'OpenMoji', license: 'CC-BY-SA-4.0', package: '@iconify-json/openmoji' },
  { id: 'fluent', name: 'Fluent Emoji by Microsoft', license: 'MIT', package: '@iconify-json/fluent-emoji-flat' },
];

/** No picture of this one is learned from. */
export const TEST_DESIGNER: Designer = {
  id: 'twemoji',
  name: 'Twemoji by Twitter',
  license: 'CC-BY-4.0',
  package: '@iconify-json/twemoji',
};

interface Box {
  readonly left?: number;
  readonly top?: number;
  readonly width?: number;
  readonly height?: number;
}
interface IconSet extends Box {
  readonly icons: Readonly<Record<string, Box & { readonly body: string }>>;
}

/** What Iconify's format takes for a size that is not given. */
const DEFAULT_SIZE = 16;
/** White around the picture, as a share of its longer side. */
const MARGIN = 0.06;

/**
 * Reads a designer's pictures. The function returned gives one as an SVG of `size` x `size` pixels, centred, with a margin, and
 * throws for a name that the designer does not have.
 */
export async function openDesigner({
  name,
  package: packageName,
}: Designer): Promise<(icon: string, size: number) => string> {
  const path = createRequire(import.meta.url).resolve(`${packageName}/icons.json`);
  const set = JSON.parse(await readFile(path, 'utf8')) as IconSet;
  return (iconName, size) => {
    const icon = set.icons[iconName];
    if (!icon) throw new Error(`${name} has no emoji ${iconName}. Install the dependencies of the lockfile: npm ci`);
    const { left, top, width, height } = {
      left: icon.left ?? set.left ?? 0,
      top: icon.top ?? set.top ?? 0,
      width: icon.width ?? set.width ?? DEFAULT_SIZE,
      height: icon.height ?? set.height ?? DEFAULT_SIZE,
    };
    const margin = Math.max(width, height) * MARGIN;
    const box = [left - margin, top - margin, width + 2 * margin, height + 2 * margin].join(' ');
    return `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="${size}" height="${size}" viewBox="${box}">${icon.body}</svg>`;
  };
}

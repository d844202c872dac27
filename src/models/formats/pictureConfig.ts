import type { Preprocessing } from '../network.js';
import type { ImportOptions } from './importBuilder.js';

/**
 * Files that publishers lay beside weights, which say how pictures are prepared for them: timm's `config.json` (as its
 * `resolve_data_config` and `create_transform` read it) and the `preprocessor_config.json` of transformers' image processors. What
 * they say and Graft cannot do exactly is left out.
 */
export const CONFIG_FILES = ['config.json', 'preprocessor_config.json'] as const;

export type PictureConfig = Pick<ImportOptions, 'inputSize' | 'preprocessing' | 'classes'>;

type Json = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Json =>
  value !== null && typeof value === 'object' && !Array.isArray(value);
const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isTriple = (value: unknown): value is [number, number, number] =>
  Array.isArray(value) && value.length === 3 && value.every(isNumber);
const LARGEST_SIDE = 4096;
const isSide = (value: unknown): value is number =>
  Number.isInteger(value) && (value as number) > 0 && (value as number) <= LARGEST_SIDE;
const isShare = (value: unknown): value is number => isNumber(value) && value > 0 && value <= 1;

/** As PIL numbers its filters, and as timm names them. */
const INTERPOLATIONS: Readonly<Record<string, Preprocessing['interpolation']>> = {
  2: 'bilinear',
  3: 'cubic',
  bilinear: 'bilinear',
  bicubic: 'cubic',
};

function interpolationOf(value: unknown): Pick<Preprocessing, 'interpolation'> | Record<never, never> {
  const interpolation = typeof value === 'string' || isNumber(value) ? INTERPOLATIONS[value] : undefined;
  return interpolation ? { interpolation } : {};
}

/** The shorter side becomes the side over the share, rounded down. */
const cropOf = (side: number, share: number) => side / Math.floor(side / share);

/** timm's `config.json`; in older ones the fields of `pretrained_cfg` are at the top. */
function readTimm(json: Json): PictureConfig {
  const config = isObject(json.pretrained_cfg) ? json.pretrained_cfg : json;
  const { input_size: size, mean, std, crop_pct: share, crop_mode: mode, interpolation } = config;
  const side = isTriple(size) && size[0] === 3 && size[1] === size[2] && isSide(size[1]) ? size[1] : null;
  if (side === null || !isTriple(mean) || !isTriple(std)) return {};
  const fit = mode === 'squash' ? 'centerCrop' : mode === undefined || mode === 'center' ? 'resizeThenCrop' : null;
  const labels = json.label_names;
  const isLabels = Array.isArray(labels) && labels.length === json.num_classes && labels.length > 0;
  return {
    inputSize: side,
    preprocessing: {
      channelOrder: 'RGB',
      scale: 255,
      mean,
      std,
      ...interpolationOf(interpolation),
      ...(fit && isShare(share) ? { fit, cropFraction: cropOf(side, share) } : {}),
    },
    ...(isLabels && labels.every((label) => typeof label === 'string') ? { classes: labels as string[] } : {}),
  };
}

/** Side of the input, and how the picture is fitted to it. */
function readSize(json: Json): { side: number; fitting: Partial<Preprocessing> } | null {
  const { size, crop_size: crop, do_center_crop: isCut, crop_pct: share } = json;
  const square = (value: unknown): number | null => {
    if (isSide(value)) return value;
    return isObject(value) && value.height === value.width && isSide(value.height) ? value.height : null;
  };
  const shortest = isObject(size) && isSide(size.shortest_edge) ? size.shortest_edge : null;
  const cut = square(crop);
  if (shortest !== null && isCut === true && cut !== null && cut <= shortest) {
    return { side: cut, fitting: { fit: 'resizeThenCrop', cropFraction: cut / shortest } };
  }
  // ConvNeXt's processor has no crop size: the shortest edge is the input's, and the share says from how much it is cut.
  if (shortest !== null && isCut === undefined && isShare(share)) {
    return { side: shortest, fitting: { fit: 'resizeThenCrop', cropFraction: cropOf(shortest, share) } };
  }
  const stretched = isCut === true ? null : square(size);
  return stretched === null ? null : { side: stretched, fitting: { fit: 'stretch', cropFraction: 1 } };
}

/** The `preprocessor_config.json` of an image processor. */
function readProcessor(json: Json): PictureConfig {
  const found = readSize(json);
  const isPlain = json.do_normalize === false;
  const mean = isPlain ? [0, 0, 0] : json.image_mean;
  const std = isPlain ? [1, 1, 1] : json.image_std;
  if (!found || !isTriple(mean) || !isTriple(std)) return {};
  const factor = json.do_rescale === false ? 1 : (json.rescale_factor ?? 1 / 255);
  if (!isNumber(factor) || factor <= 0) return {};
  return {
    inputSize: found.side,
    preprocessing: {
      channelOrder: 'RGB',
      // 1 / 255 is written with a few digits too many or too few.
      scale: Math.abs(1 / factor - 255) < 0.01 ? 255 : 1 / factor,
      mean,
      std,
      ...interpolationOf(json.resample),
      ...found.fitting,
    },
  };
}

/** What such a file says; empty for every other file. */
export function readPictureConfig(bytes: Uint8Array): PictureConfig {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return {};
  }
  if (!isObject(json)) return {};
  return 'image_mean' in json || 'do_normalize' in json ? readProcessor(json) : readTimm(json);
}

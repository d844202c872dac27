import type { Weights, WeightTensor } from './network.js';

interface Rule {
  readonly pattern: RegExp;
  readonly name: string | ((...groups: string[]) => string);
  /** Where the same numbers have another shape there. */
  readonly shape?: (shape: readonly number[]) => number[];
}

/** Other names that weights of a network have in some published files. */
type Renaming = readonly Rule[];

const rule = (pattern: RegExp, name: Rule['name'], shape?: Rule['shape']): Rule => ({ pattern, name, shape });

/** DenseNets that torchvision published before PyTorch 0.4 have a dot inside the names of a dense layer's parts. */
const OLD_DENSENET: Renaming = [rule(/^(.*denselayer\d+\.(?:norm|conv))\.([12]\.\w+)$/, '$1$2')];

/** What follows is how timm (github.com/huggingface/pytorch-image-models) calls the weights of torchvision's networks. */

const odd = (stage: string): number => 2 * Number(stage) + 1;

const CONVNEXT: Renaming = [
  rule(/^stem\.(\d)\.(\w+)$/, 'features.0.$1.$2'),
  rule(
    /^stages\.(\d)\.blocks\.(\d+)\.gamma$/,
    (_, stage = '', block) => `features.${odd(stage)}.${block}.layer_scale`,
    ([channels = 0]) => [channels, 1, 1],
  ),
  rule(/^stages\.(\d)\.blocks\.(\d+)\.(conv_dw|norm|mlp\.fc1|mlp\.fc2)\.(\w+)$/, (_, stage = '', block, part, what) => {
    const place = { conv_dw: 0, norm: 2, 'mlp.fc1': 3, 'mlp.fc2': 5 }[part as string];
    return `features.${odd(stage)}.${block}.block.${place}.${what}`;
  }),
  rule(
    /^stages\.(\d)\.downsample\.(\d)\.(\w+)$/,
    (_, stage, part, what) => `features.${2 * Number(stage)}.${part}.${what}`,
  ),
  rule(/^head\.norm\.(\w+)$/, 'classifier.0.$1'),
  rule(/^head\.fc\.(\w+)$/, 'classifier.2.$1'),
];

const ofUnit = { conv: 0, bn: 1 } as const;
const unit = (part: string | undefined): number => ofUnit[part as 'conv' | 'bn'];
/** RegNet counts a stage's blocks from 0 in torchvision, from 1 in timm. */
const regnetBlock = (stage: string | undefined, block: string | undefined): string =>
  `trunk_output.block${stage}.block${stage}-${Number(block) - 1}`;

const REGNET: Renaming = [
  rule(/^stem\.(conv|bn)\.(\w+)$/, (_, part, what) => `stem.${unit(part)}.${what}`),
  rule(/^s(\d)\.b(\d+)\.conv([123])\.(conv|bn)\.(\w+)$/, (_, stage, block, index, part, what) => {
    return `${regnetBlock(stage, block)}.f.${'abc'[Number(index) - 1]}.${unit(part)}.${what}`;
  }),
  rule(/^s(\d)\.b(\d+)\.(se\.fc[12]\.\w+)$/, (_, stage, block, rest) => `${regnetBlock(stage, block)}.f.${rest}`),
  rule(/^s(\d)\.b(\d+)\.downsample\.(conv|bn)\.(\w+)$/, (_, stage, block, part, what) => {
    return `${regnetBlock(stage, block)}.proj.${unit(part)}.${what}`;
  }),
  rule(/^head\.fc\.(\w+)$/, 'fc.$1'),
];

/** timm's dense layers are convolutions over the whole map, whose numbers lie in the order of the flattened map. */
const flattened = (shape: readonly number[]): number[] => [shape[0] ?? 0, shape.slice(1).reduce((a, b) => a * b, 1)];

const VGG: Renaming = [
  rule(/^pre_logits\.fc1\.weight$/, 'classifier.0.weight', flattened),
  rule(/^pre_logits\.fc2\.weight$/, 'classifier.3.weight', flattened),
  rule(/^pre_logits\.fc1\.bias$/, 'classifier.0.bias'),
  rule(/^pre_logits\.fc2\.bias$/, 'classifier.3.bias'),
  rule(/^head\.fc\.(\w+)$/, 'classifier.6.$1'),
];

/** The first of torchvision's blocks in each of timm's stages (Sandler et al. 2018, table 2). */
const MOBILENET_STAGES = [1, 2, 4, 7, 11, 14, 17];
const mobilenetBlock = (stage: string | undefined, block: string | undefined): string =>
  `features.${(MOBILENET_STAGES[Number(stage)] ?? 0) + Number(block)}.conv`;

const MOBILENET_V2: Renaming = [
  rule(/^conv_stem\.(\w+)$/, 'features.0.0.$1'),
  rule(/^bn1\.(\w+)$/, 'features.0.1.$1'),
  // The first block has no expansion.
  rule(/^blocks\.0\.(\d+)\.(conv_dw|bn1|conv_pw|bn2)\.(\w+)$/, (_, block, part, what) => {
    const place = { conv_dw: '0.0', bn1: '0.1', conv_pw: '1', bn2: '2' }[part as string];
    return `${mobilenetBlock('0', block)}.${place}.${what}`;
  }),
  rule(/^blocks\.([1-6])\.(\d+)\.(conv_pwl?|conv_dw|bn[123])\.(\w+)$/, (_, stage, block, part, what) => {
    const places = { conv_pw: '0.0', bn1: '0.1', conv_dw: '1.0', bn2: '1.1', conv_pwl: '2', bn3: '3' };
    return `${mobilenetBlock(stage, block)}.${places[part as keyof typeof places]}.${what}`;
  }),
  rule(/^conv_head\.(\w+)$/, 'features.18.0.$1'),
  rule(/^bn2\.(\w+)$/, 'features.18.1.$1'),
  rule(/^classifier\.(\w+)$/, 'classifier.1.$1'),
];

const RENAMINGS: readonly Renaming[] = [OLD_DENSENET, CONVNEXT, REGNET, VGG, MOBILENET_V2];

/** The weights under other names; null where no rule applies, or where two names become one. */
function rename(weights: Weights, rules: Renaming): Weights | null {
  const renamed = new Map<string, WeightTensor>();
  let changed = false;
  for (const [old, tensor] of weights) {
    const found = rules.find(({ pattern }) => pattern.test(old));
    changed ||= found !== undefined;
    const { pattern, name, shape } = found ?? { pattern: /$/, name: '' };
    const own = typeof name === 'string' ? old.replace(pattern, name) : old.replace(pattern, name);
    renamed.set(own, shape ? { ...tensor, shape: shape(tensor.shape) } : tensor);
  }
  return changed && renamed.size === weights.size ? renamed : null;
}

/** The weights under each set of names that may be meant, the file's own first. */
export function possibleNames(weights: Weights): Weights[] {
  return [weights, ...RENAMINGS.flatMap((rules) => rename(weights, rules) ?? [])];
}

import { ModelError } from '../errors.js';
import { LIMITS } from '../limits.js';
import type { Network } from '../network.js';
import { alexnet } from './alexnet.js';
import { convnext } from './convnext.js';
import { densenet121, densenet169, densenet201 } from './densenet.js';
import { type EfficientnetVariant, efficientnet, efficientnetSide } from './efficientnet.js';
import { googlenet } from './googlenet.js';
import { inceptionV3 } from './inceptionV3.js';
import { mnasnet } from './mnasnet.js';
import { mobilenetV1 } from './mobilenetV1.js';
import { mobilenetV2 } from './mobilenetV2.js';
import { type MobilenetV3Size, mobilenetV3 } from './mobilenetV3.js';
import { type ArchitectureOptions, sides } from './options.js';
import { regnetY } from './regnet.js';
import { resnet18, resnet34, resnet50, resnet101, resnet152, resnext50, wideResnet50 } from './resnet.js';
import { resnetCifar } from './resnetCifar.js';
import { type ShufflenetV1Width, shufflenetV1 } from './shufflenetV1.js';
import { type ShufflenetV2Width, shufflenetV2 } from './shufflenetV2.js';
import { squeezenet } from './squeezenet.js';
import { type VggDepth, vgg } from './vgg.js';

export type { ArchitectureOptions };

export interface Architecture {
  /** What people call it. */
  readonly title: string;
  readonly paper: string;
  readonly build: (options?: ArchitectureOptions) => Network;
  /** Side of the input in pixels by default, and the smallest that leaves something to every layer. */
  readonly usualSide: number;
  readonly smallestSide: number;
  /** Whether there are heads in its middle that take part in training. */
  readonly hasAuxiliaryHeads: boolean;
}

function entry(
  title: string,
  paper: string,
  build: Architecture['build'],
  { usualSide = 224, smallestSide = 1, hasAuxiliaryHeads = false } = {},
): Architecture {
  return { title, paper, build, usualSide, smallestSide, hasAuxiliaryHeads };
}

const RESNET = 'He et al. 2016, arXiv 1512.03385';
const DENSENET = 'Huang et al. 2017, arXiv 1608.06993';
const SQUEEZENET = 'Iandola et al. 2016, arXiv 1602.07360';
const VGG = 'Simonyan and Zisserman 2015, arXiv 1409.1556';

const vggEntry = (depth: VggDepth, batchNorm: boolean): Architecture =>
  entry(`VGG-${depth}${batchNorm ? ' with batch norm' : ''}`, VGG, (options) => vgg({ ...options, depth, batchNorm }), {
    smallestSide: 32,
  });

const mobilenetV1Entry = (width: number): Architecture =>
  entry(`MobileNet-v1 ${width}`, 'Howard et al. 2017, arXiv 1704.04861', (options) =>
    mobilenetV1({ ...options, width }),
  );

const mobilenetV3Entry = (size: MobilenetV3Size): Architecture =>
  entry(`MobileNet-v3 ${size}`, 'Howard et al. 2019, arXiv 1905.02244', (options) => mobilenetV3({ ...options, size }));

const mnasnetEntry = (alpha: number): Architecture =>
  entry(`MNASNet ${alpha}`, 'Tan et al. 2019, arXiv 1807.11626', (options) => mnasnet({ ...options, alpha }));

const efficientnetEntry = (variant: EfficientnetVariant): Architecture =>
  entry(
    `EfficientNet-${variant.toUpperCase()}`,
    'Tan and Le 2019, arXiv 1905.11946',
    (options) => efficientnet({ ...options, variant }),
    { usualSide: efficientnetSide(variant) },
  );

const shufflenetV1Entry = (width: ShufflenetV1Width): Architecture =>
  entry(`ShuffleNet-v1 x${width}, 3 groups`, 'Zhang et al. 2018, arXiv 1707.01083', (options) =>
    shufflenetV1({ ...options, width }),
  );

const shufflenetV2Entry = (width: ShufflenetV2Width): Architecture =>
  entry(`ShuffleNet-v2 x${width}`, 'Ma et al. 2018, arXiv 1807.11164', (options) =>
    shufflenetV2({ ...options, width }),
  );

const cifarEntry = (depth: number): Architecture =>
  entry(`ResNet-${depth} for CIFAR`, RESNET, (options) => resnetCifar({ ...options, depth }), { usualSide: 32 });

/** The built-in architectures by name: torchvision's, where it has them. */
export const ARCHITECTURES: Readonly<Record<string, Architecture>> = {
  alexnet: entry('AlexNet', 'Krizhevsky 2014, arXiv 1404.5997', alexnet, { smallestSide: 63 }),
  convnext_tiny: entry('ConvNeXt-Tiny', 'Liu et al. 2022, arXiv 2201.03545', convnext, { smallestSide: 32 }),
  densenet121: entry('DenseNet-121', DENSENET, densenet121, { smallestSide: 29 }),
  densenet169: entry('DenseNet-169', DENSENET, densenet169, { smallestSide: 29 }),
  densenet201: entry('DenseNet-201', DENSENET, densenet201, { smallestSide: 29 }),
  efficientnet_b0: efficientnetEntry('b0'),
  efficientnet_b1: efficientnetEntry('b1'),
  efficientnet_b2: efficientnetEntry('b2'),
  efficientnet_b3: efficientnetEntry('b3'),
  googlenet: entry('GoogLeNet', 'Szegedy et al. 2015, arXiv 1409.4842', googlenet, {
    smallestSide: 15,
    hasAuxiliaryHeads: true,
  }),
  inception_v3: entry('Inception-v3', 'Szegedy et al. 2016, arXiv 1512.00567', inceptionV3, {
    usualSide: 299,
    smallestSide: 75,
    hasAuxiliaryHeads: true,
  }),
  mnasnet0_5: mnasnetEntry(0.5),
  mnasnet0_75: mnasnetEntry(0.75),
  mnasnet1_0: mnasnetEntry(1),
  mnasnet1_3: mnasnetEntry(1.3),
  mobilenet_v1: mobilenetV1Entry(1),
  mobilenet_v1_0_75: mobilenetV1Entry(0.75),
  mobilenet_v1_0_5: mobilenetV1Entry(0.5),
  mobilenet_v1_0_25: mobilenetV1Entry(0.25),
  mobilenet_v2: entry('MobileNet-v2', 'Sandler et al. 2018, arXiv 1801.04381', mobilenetV2),
  mobilenet_v3_large: mobilenetV3Entry('large'),
  mobilenet_v3_small: mobilenetV3Entry('small'),
  regnet_y_400mf: entry('RegNetY-400MF', 'Radosavovic et al. 2020, arXiv 2003.13678', regnetY),
  resnet18: entry('ResNet-18', RESNET, resnet18),
  resnet34: entry('ResNet-34', RESNET, resnet34),
  resnet50: entry('ResNet-50', RESNET, resnet50),
  resnet101: entry('ResNet-101', RESNET, resnet101),
  resnet152: entry('ResNet-152', RESNET, resnet152),
  resnet20_cifar: cifarEntry(20),
  resnet32_cifar: cifarEntry(32),
  resnet44_cifar: cifarEntry(44),
  resnet56_cifar: cifarEntry(56),
  resnet110_cifar: cifarEntry(110),
  resnext50_32x4d: entry('ResNeXt-50 32x4d', 'Xie et al. 2017, arXiv 1611.05431', resnext50),
  shufflenet_v1_x0_5: shufflenetV1Entry('0.5'),
  shufflenet_v1_x1_0: shufflenetV1Entry('1.0'),
  shufflenet_v1_x1_5: shufflenetV1Entry('1.5'),
  shufflenet_v1_x2_0: shufflenetV1Entry('2.0'),
  shufflenet_v2_x0_5: shufflenetV2Entry('0.5'),
  shufflenet_v2_x1_0: shufflenetV2Entry('1.0'),
  shufflenet_v2_x1_5: shufflenetV2Entry('1.5'),
  shufflenet_v2_x2_0: shufflenetV2Entry('2.0'),
  squeezenet1_0: entry('SqueezeNet 1.0', SQUEEZENET, (options) => squeezenet({ ...options, version: '1.0' }), {
    smallestSide: 21,
  }),
  squeezenet1_1: entry('SqueezeNet 1.1', SQUEEZENET, (options) => squeezenet({ ...options, version: '1.1' }), {
    smallestSide: 17,
  }),
  vgg11: vggEntry(11, false),
  vgg11_bn: vggEntry(11, true),
  vgg13: vggEntry(13, false),
  vgg13_bn: vggEntry(13, true),
  vgg16: vggEntry(16, false),
  vgg16_bn: vggEntry(16, true),
  vgg19: vggEntry(19, false),
  vgg19_bn: vggEntry(19, true),
  wide_resnet50_2: entry('Wide ResNet-50-2', 'Zagoruyko and Komodakis 2016, arXiv 1605.07146', wideResnet50),
};

function checkOptions(name: string, architecture: Architecture, options: ArchitectureOptions) {
  const { title, usualSide, smallestSide, hasAuxiliaryHeads } = architecture;
  const fail = (message: string): never => {
    throw new ModelError('INVALID_ARGUMENT', `${title} (${name}): ${message}`);
  };
  if (options.auxiliaryHeads && !hasAuxiliaryHeads) fail('it has no auxiliary heads.');
  for (const side of sides(options, usualSide)) {
    if (!Number.isSafeInteger(side) || side < smallestSide || side > LIMITS.side) {
      fail(`a side of its input is a whole number of pixels from ${smallestSide} to ${LIMITS.side}; got ${side}.`);
    }
  }
  const { classes = 1, inChannels = 1 } = options;
  if (!Number.isSafeInteger(classes) || classes < 1 || classes > LIMITS.classes) {
    fail(`it takes 1 to ${LIMITS.classes} classes; got ${classes}.`);
  }
  if (!Number.isSafeInteger(inChannels) || inChannels < 1 || inChannels > LIMITS.channels) {
    fail(`its input has 1 to ${LIMITS.channels} channels; got ${inChannels}.`);
  }
}

/** The architecture of this name. Throws INVALID_ARGUMENT for names that are not built in and options that do not fit. */
export function checkArchitecture(name: string, options: ArchitectureOptions): Architecture {
  const architecture = Object.hasOwn(ARCHITECTURES, name) ? ARCHITECTURES[name] : undefined;
  if (!architecture) {
    const known = Object.keys(ARCHITECTURES).join(', ');
    throw new ModelError('INVALID_ARGUMENT', `There is no architecture ${name}; built in are ${known}.`);
  }
  checkOptions(name, architecture, options);
  return architecture;
}

/** Builds an architecture by its name. Throws INVALID_ARGUMENT as `checkArchitecture`. */
export function buildArchitecture(name: string, options: ArchitectureOptions = {}): Network {
  return checkArchitecture(name, options).build(options);
}

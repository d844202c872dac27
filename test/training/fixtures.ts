import type { Layer, Network, Weights, WeightTensor } from '../../src/models/network.js';
import type { PictureSource, Sample } from '../../src/training/types.js';

/** A seeded generator for test data (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const freshSeed = (): number => Number(process.env.GRAFT_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));

const SIDE = 12;

/** conv 3x3 -> batch norm -> ReLU6 -> conv 1x1 -> batch norm -> + -> ReLU -> global mean -> dense; 12 x 12 pictures. */
export function smallNetwork(classes: readonly string[], random: () => number): { network: Network; weights: Weights } {
  const weights = new Map<string, WeightTensor>();
  const tensor = (name: string, shape: number[], make: () => number) => {
    const size = shape.reduce((product, n) => product * n, 1);
    weights.set(name, { shape, data: Float32Array.from({ length: size }, make) });
    return name;
  };
  const centred = (scale: number) => () => (random() - 0.5) * scale;
  const channels = 6;
  const conv = (name: string, input: string, inputs: number, kernel: number): Layer => ({
    kind: 'conv2d',
    name,
    inputs: [input],
    learningRateFactor: 1,
    outChannels: channels,
    kernel: [kernel, kernel],
    stride: kernel === 3 ? [2, 2] : [1, 1],
    padding: kernel === 3 ? { top: 0, left: 0, bottom: 1, right: 1 } : { top: 0, left: 0, bottom: 0, right: 0 },
    dilation: [1, 1],
    groups: 1,
    weight: tensor(`${name}.weight`, [channels, inputs, kernel, kernel], centred(1)),
    bias: null,
  });
  const norm = (name: string, input: string): Layer => ({
    kind: 'batchNorm',
    name,
    inputs: [input],
    learningRateFactor: 1,
    epsilon: 1e-5,
    momentum: 0.1,
    weight: tensor(`${name}.weight`, [channels], () => 0.5 + random()),
    bias: tensor(`${name}.bias`, [channels], centred(0.4)),
    runningMean: tensor(`${name}.running_mean`, [channels], centred(0.4)),
    runningVariance: tensor(`${name}.running_var`, [channels], () => 0.5 + random()),
  });
  const layers: Layer[] = [
    {
      kind: 'input',
      name: 'input',
      inputs: [],
      learningRateFactor: 1,
      shape: [3, SIDE, SIDE],
      batched: true,
      type: 'float32',
    },
    conv('conv1', 'input', 3, 3),
    norm('bn1', 'conv1'),
    { kind: 'activation', name: 'relu1', inputs: ['bn1'], learningRateFactor: 1, activation: 'relu6' },
    conv('conv2', 'relu1', channels, 1),
    norm('bn2', 'conv2'),
    { kind: 'add', name: 'add', inputs: ['relu1', 'bn2'], learningRateFactor: 1 },
    { kind: 'activation', name: 'relu2', inputs: ['add'], learningRateFactor: 1, activation: 'relu' },
    { kind: 'globalAveragePool', name: 'pool', inputs: ['relu2'], learningRateFactor: 1, flatten: true },
    { kind: 'dropout', name: 'dropout', inputs: ['pool'], learningRateFactor: 1, rate: 0.1 },
    {
      kind: 'dense',
      name: 'fc',
      inputs: ['dropout'],
      learningRateFactor: 1,
      outFeatures: classes.length,
      weight: tensor('fc.weight', [classes.length, channels], centred(0.2)),
      bias: tensor('fc.bias', [classes.length], () => 0),
    },
  ];
  const network: Network = {
    architecture: 'small',
    layers,
    preprocessing: {
      height: SIDE,
      width: SIDE,
      fit: 'stretch',
      cropFraction: 1,
      interpolation: 'bilinear',
      channelOrder: 'RGB',
      scale: 255,
      mean: [0.5, 0.5, 0.5],
      std: [0.5, 0.5, 0.5],
    },
    classes,
    auxiliary: [],
  };
  return { network, weights };
}

/** The network with the learning-rate factor 0 on the layers named. */
export const frozen = (network: Network, names: readonly string[]): Network => ({
  ...network,
  layers: network.layers.map((layer) => (names.includes(layer.name) ? { ...layer, learningRateFactor: 0 } : layer)),
});

/** Noisy pictures whose class decides which colour is brightest. */
export function colourPictures(count: number, classes: number, random: () => number, prefix: string) {
  const bytes = new Map<string, Uint8Array>();
  const samples: Sample[] = Array.from({ length: count }, (_, index) => {
    const label = index % classes;
    const hash = `${prefix}${index}`;
    const picture = Uint8Array.from({ length: SIDE * SIDE * 3 }, (_, i) => {
      const bright = i % 3 === label % 3 ? 90 : 0;
      return Math.floor(random() * 150) + bright;
    });
    bytes.set(hash, picture);
    return { hash, label };
  });
  const source: PictureSource = {
    async load(hashes) {
      const batch = new Uint8Array(hashes.length * SIDE * SIDE * 3);
      hashes.forEach((hash, i) => {
        const picture = bytes.get(hash);
        if (!picture) throw new Error(`no picture ${hash}`);
        batch.set(picture, i * picture.length);
      });
      return batch;
    },
  };
  return { samples, source };
}

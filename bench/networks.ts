// Pictures per second of whole networks on this machine's adapter, forward (batch norms folded) and for a whole training step
// (forward, backward, Adam on every parameter). `npm run bench [-- --batch N] [--size PIXELS] [--network NAME] [--repeat N]`
import { parseArgs } from 'node:util';
import type { Engine } from '../src/kernels/engine.js';
import { softmaxCrossEntropy } from '../src/kernels/ops/losses/crossEntropy.js';
import { flatten } from '../src/kernels/ops/flatten/flatten.js';
import { Optimizer } from '../src/kernels/ops/optimizer/optimizer.js';
import { type Plan } from '../src/kernels/plan.js';
import { PlanBuilder } from '../src/kernels/planBuilder.js';
import type { Tensor } from '../src/kernels/tensor.js';
import { buildArchitecture } from '../src/models/architectures/registry.js';
import { initializeWeights } from '../src/models/initialize.js';
import type { Layer, Network } from '../src/models/network.js';
import { openEngine, releaseGpu } from '../src/runtime/gpu.js';
import { DeviceWeights } from '../src/training/deviceWeights.js';
import { buildForward } from '../src/training/forward.js';
import { hasParameters, trainedWeights } from '../src/training/partition.js';

const { values: options } = parseArgs({
  options: {
    batch: { type: 'string', default: '8' },
    size: { type: 'string', default: '224' },
    network: { type: 'string', multiple: true, default: ['mobilenet_v2', 'squeezenet1_1', 'resnet18'] },
    repeat: { type: 'string', default: '5' },
  },
});
const batch = Number(options.batch);
const side = Number(options.size);
const CLASSES = 10;
const ADAM = { kind: 'adam', beta1: 0.9, beta2: 0.999, epsilon: 1e-8 } as const;

function logitsOf(
  b: PlanBuilder,
  network: Network,
  device: DeviceWeights,
  weights: ReturnType<typeof initializeWeights>,
  mode: 'train' | 'eval',
): Tensor {
  const [input, last] = [network.layers[0] as Layer, network.layers.at(-1) as Layer];
  const step = mode === 'train' ? b.input('step', [4], { dtype: 'u32', layout: 'dense' }) : undefined;
  const values = buildForward(b, network, weights, device, {
    layers: network.layers,
    values: new Map([[input.name, b.input('x', [batch, 3, side, side])]]),
    keep: new Set([last.name]),
    mode,
    step,
    weightsAreFixed: mode === 'eval',
  });
  const raw = values.get(last.name) as Tensor;
  return raw.shape.length === 4 ? flatten(b, raw) : raw;
}

/** Adds loss, backward pass and updates. */
function addTraining(b: PlanBuilder, engine: Engine, network: Network, device: DeviceWeights, logits: Tensor): void {
  const labels = b.input('labels', [batch], { dtype: 'u32', layout: 'dense' });
  const { loss } = softmaxCrossEntropy(b, logits, labels, { labelSmoothing: 0 });
  const gradients = b.backward(loss);
  const names = network.layers.filter(hasParameters).flatMap((layer) => trainedWeights(layer).parameters);
  const parameters = names.map((name) => {
    const { shape } = device.get(name);
    return { name, shape, learningRateFactor: 1, weightDecay: 0 };
  });
  const options = { rule: ADAM, clipNorm: null, mixedPrecision: false, accumulates: false };
  const optimizer = new Optimizer(engine, parameters, options);
  optimizer.addGradients(
    b,
    new Map(names.map((name) => [name, gradients.get(b.persistent(device.get(name))) as Tensor])),
  );
  optimizer.addUpdate(b, b.input('learningRate', [1], { layout: 'dense' }));
  b.output('loss', loss);
}

async function measure(plan: Plan, training: boolean): Promise<{ first: number; best: number; median: number }> {
  const x = Float32Array.from({ length: batch * 3 * side * side }, () => Math.random());
  const more: Record<string, ArrayBufferView> = training
    ? { labels: new Uint32Array(batch), learningRate: Float32Array.of(1e-4), step: new Uint32Array(4) }
    : {};
  const times: number[] = [];
  for (let run = 0; run <= Number(options.repeat); run++) {
    const started = performance.now();
    await plan.run({ x, ...more })();
    times.push(performance.now() - started);
  }
  const [first = 0, ...rest] = times;
  rest.sort((a, b) => a - b);
  return { first, best: rest[0] as number, median: rest[Math.floor(rest.length / 2)] as number };
}

const engine = await openEngine();
const { description, vendor, architecture } = engine.adapter;
console.log(
  `${description || `${vendor} ${architecture}`}, ${engine.kernelFamily} kernels, batch ${batch}, ${side} x ${side}`,
);
for (const name of options.network) {
  const network = buildArchitecture(name, { inputSize: side, classes: CLASSES });
  const weights = initializeWeights(network, 1);
  for (const mode of ['eval', 'train'] as const) {
    const device = new DeviceWeights(engine, weights);
    const b = new PlanBuilder(engine);
    const logits = logitsOf(b, network, device, weights, mode);
    if (mode === 'train') addTraining(b, engine, network, device, logits);
    else b.output('logits', logits);
    const started = performance.now();
    const plan = await b.compile();
    const compiled = performance.now() - started;
    const { first, best, median } = await measure(plan, mode === 'train');
    const rate = (ms: number) => ((batch * 1000) / ms).toFixed(1);
    console.log(
      `${name.padEnd(14)} ${mode === 'train' ? 'step   ' : 'forward'} ${rate(median).padStart(7)} pictures/s (best ${rate(best)}), ` +
        `${plan.dispatchCount} dispatches, ${(plan.memory.total / 2 ** 20).toFixed(0)} MiB, ready after ${(compiled + first).toFixed(0)} ms`,
    );
    plan.dispose();
    device.dispose();
  }
}
engine.destroy();
releaseGpu();

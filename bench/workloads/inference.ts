import { InferencePlan, inputLayer, logitsLayer } from '../../src/training/inference.js';
import { benchNetwork, networkCost } from '../networks.js';
import { randomBytes } from '../random.js';
import { normalised, referenceOutput } from '../reference/network.js';
import type { InferenceSpec } from '../specs.js';
import type { Workload } from '../workload.js';

/** uint8 pictures [batch, side, side, 3]. */
export const benchPictures = ({ side, batch }: { side: number; batch: number }, name: string, seed: number) =>
  randomBytes(batch * side * side * 3, seed, `${name} pictures`);

export function inferenceWorkload(architecture: string, batch: number, side = 224): Workload<InferenceSpec> {
  const name = `${architecture}-inference-${batch}`;
  const spec = { kind: 'inference', architecture, side, classes: 1000, batch } as const;
  const { network } = benchNetwork(spec, 0);
  const cost = networkCost(network);
  return {
    name,
    spec,
    pictures: batch,
    flops: batch * cost.flops,
    traffic: batch * cost.activationBytes + cost.weightBytes,
    async prepare(engine, seed) {
      const { weights } = benchNetwork(spec, seed);
      const logits = logitsLayer(network);
      const plan = await InferencePlan.compile(engine, network, weights, { batchSize: batch, layers: [logits] });
      const pictures = benchPictures(spec, name, seed);
      return {
        dispatches: plan.dispatchCount,
        run: () => plan.run(pictures)(),
        async results() {
          return { logits: (await plan.run(pictures)())[logits] as Float32Array };
        },
        dispose: () => plan.dispose(),
      };
    },
    reference(seed) {
      const { weights } = benchNetwork(spec, seed);
      const pictures = benchPictures(spec, name, seed);
      const bytes = pictures.length / batch;
      // Pictures do not touch each other in evaluation, so the first and the last stand for all.
      const checked = [...new Set([0, batch - 1])];
      const rows = checked.map((n) => {
        const input = normalised(network, pictures.subarray(n * bytes, (n + 1) * bytes));
        return [...referenceOutput(network.layers, weights, new Map([[inputLayer(network).name, input]]))];
      });
      return {
        logits: {
          indices: checked.flatMap((n) => Array.from({ length: spec.classes }, (_, c) => n * spec.classes + c)),
          values: rows.flat(),
        },
      };
    },
  };
}

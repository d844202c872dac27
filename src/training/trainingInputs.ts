import type { FeatureSource } from './features.js';
import type { HeadInputs, HeadSource } from './headInputs.js';
import type { Sample } from './types.js';

/** What a training step reads. */
export interface StepInputs extends HeadSource {
  /** Whether there is an input `targets`, probabilities [N, classes], in place of the labels. */
  readonly mixesTargets: boolean;
}

/** Where training steps get their pictures from. */
export interface TrainingInputs extends StepInputs {
  /** Values of a batch in an epoch; `parts` are the sizes of the parts in which it is computed. */
  load(samples: readonly Sample[], epoch: number, parts: readonly number[]): Promise<HeadInputs>;
  dispose(): void;
}

/** The same pictures in every epoch. */
export const unchangedPictures = (source: FeatureSource): TrainingInputs => ({
  mixesTargets: false,
  addInputs: (b, size) => source.addInputs(b, size),
  load: (samples) => source.load(samples.map(({ hash }) => hash)),
  dispose: () => undefined,
});

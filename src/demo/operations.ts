import type { Operation } from './client.js';
import type { ClassMetrics } from './confusion.js';
import type { RunProgress } from './progress.js';

/** Every GraphQL operation of the demo. A test holds them to schema.graphql. */

const operation = <Data, Variables = Record<string, never>>(text: string): Operation<Data, Variables> => ({ text });

export interface Device {
  readonly state: string;
  readonly vendor: string | null;
  readonly description: string | null;
  readonly isSoftware: boolean | null;
  readonly kernelFamily: string | null;
  readonly error: string | null;
}
export const DEVICE = operation<{ device: Device }>(
  `query Device { device { state vendor description isSoftware kernelFamily error } }`,
);

export interface ZooNetwork {
  readonly id: string;
  readonly architecture: string;
  readonly pretrained: boolean;
  readonly license: string | null;
  readonly source: string | null;
  readonly input: { readonly width: number; readonly height: number };
  readonly parameters: number;
  readonly multiplyAdds: number | null;
  readonly top1: number | null;
}
export const ZOO = operation<{ zoo: readonly ZooNetwork[] }>(
  `query Zoo { zoo { id architecture pretrained license source input { width height } parameters multiplyAdds top1 } }`,
);

export const CREATE_NETWORK = operation<{ createNetwork: { id: string } }, { input: { zooId: string; name: string } }>(
  `mutation CreateNetwork($input: CreateNetworkInput!) { createNetwork(input: $input) { id } }`,
);

export interface Dataset {
  readonly id: string;
  readonly classes: readonly {
    readonly label: string;
    readonly train: number;
    readonly validation: number;
    readonly test: number;
  }[];
  readonly warnings: readonly { readonly message: string }[];
}
export const CREATE_DATASET = operation<
  { createDataset: Dataset },
  { input: { name: string; folder: string; validationShare: number; testShare: number; seed: number } }
>(`
  mutation CreateDataset($input: CreateDatasetInput!) {
    createDataset(input: $input) { id classes { label train validation test } warnings { message } }
  }`);

export const REPLACE_HEAD = operation<
  { replaceHead: { layers: readonly { readonly name: string }[] } },
  { input: { networkId: string; datasetId: string; seed: number } }
>(`mutation ReplaceHead($input: ReplaceHeadInput!) { replaceHead(input: $input) { layers { name } } }`);

export const FREEZE = operation<
  { freeze: { id: string; parameters: number; trainableParameters: number } },
  { input: { networkId: string; layers: { upTo: string } } }
>(`mutation Freeze($input: FreezeInput!) { freeze(input: $input) { id parameters trainableParameters } }`);

export const FORK_NETWORK = operation<{ forkNetwork: { id: string } }, { input: { revisionId: string; name: string } }>(
  `mutation ForkNetwork($input: ForkNetworkInput!) { forkNetwork(input: $input) { id } }`,
);

export const RANDOMIZE_WEIGHTS = operation<
  { randomizeWeights: { id: string; trainableParameters: number } },
  { input: { networkId: string; seed: number } }
>(`
  mutation RandomizeWeights($input: RandomizeWeightsInput!) {
    randomizeWeights(input: $input) { id trainableParameters }
  }`);

export interface TrainingOptions {
  readonly epochs: number;
  readonly batchSize: number;
  readonly learningRate: number;
  readonly optimizer: 'ADAM' | 'ADAMW' | 'SGD';
  readonly weightDecay?: number;
  readonly seed: number;
  readonly maxSeconds?: number;
}
export const TRAIN = operation<
  { train: { id: string } },
  { input: { networkId: string; datasetId: string; options: TrainingOptions } }
>(`mutation Train($input: TrainInput!) { train(input: $input) { id } }`);

export const RUN_PROGRESS = operation<{ runProgress: RunProgress }, { runId: string; after: number }>(`
  subscription RunProgress($runId: ID!, $after: Int!) {
    runProgress(runId: $runId, after: $after) {
      sequence kind state phase epoch epochs step steps loss accuracy validationAccuracy picturesPerSecond etaSeconds done total
    }
  }`);

export interface Run {
  readonly state: string;
  readonly error: { readonly message: string } | null;
  readonly adapter: string | null;
  readonly secondsFeatures: number | null;
  readonly secondsTrain: number | null;
  readonly bestRevision: { readonly id: string } | null;
  readonly epochs: readonly {
    readonly epoch: number;
    readonly trainLoss: number;
    readonly trainAccuracy: number;
    readonly validationAccuracy: number | null;
  }[];
}
export const RUN = operation<{ run: Run | null }, { id: string }>(`
  query Run($id: ID!) {
    run(id: $id) {
      state error { message } adapter secondsFeatures secondsTrain bestRevision { id }
      epochs { epoch trainLoss trainAccuracy validationAccuracy }
    }
  }`);

export interface Evaluation {
  readonly pictures: number;
  readonly accuracy: number;
  readonly loss: number;
  readonly classes: readonly ClassMetrics[];
  readonly confusion: readonly (readonly number[])[];
}
export const EVALUATE = operation<
  { evaluate: Evaluation },
  { input: { networkId: string; revisionId?: string; datasetId: string; split: 'TEST' } }
>(`
  mutation Evaluate($input: EvaluateInput!) {
    evaluate(input: $input) { pictures accuracy loss classes { label support precision recall f1 } confusion }
  }`);

export interface Picture {
  readonly path: string;
  readonly label: string;
  readonly url: string;
}
export const TEST_PICTURES = operation<
  { dataset: { pictures: { nodes: readonly Picture[] } } | null },
  { id: string; label: string; first: number }
>(`
  query TestPictures($id: ID!, $label: String!, $first: Int!) {
    dataset(id: $id) { pictures(first: $first, split: TEST, label: $label) { nodes { path label url } } }
  }`);

export interface PicturePrediction {
  readonly error: string | null;
  readonly predictions: readonly { readonly label: string; readonly probability: number }[];
}
export const PREDICT = operation<
  { predict: readonly PicturePrediction[] },
  { input: { networkId: string; revisionId: string; uploadIds: readonly string[]; topK: number } }
>(`mutation Predict($input: PredictInput!) { predict(input: $input) { error predictions { label probability } } }`);

export const EXPORT_REVISION = operation<
  { exportRevision: { bytes: number; url: string } },
  { input: { revisionId: string } }
>(`mutation ExportRevision($input: ExportRevisionInput!) { exportRevision(input: $input) { bytes url } }`);

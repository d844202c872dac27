import type { NetworkSpec } from './networks.js';

/** Matrix product of two square matrices. */
export interface MatmulSpec {
  readonly kind: 'matmul';
  readonly size: number;
}

export type ConvolutionPass = 'forward' | 'input-gradient' | 'weight-gradient';

/** A square convolution of square feature maps [batch, channels, side, side] with padding on all sides. */
export interface ConvolutionSpec {
  readonly kind: 'convolution';
  readonly pass: ConvolutionPass;
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
  readonly out: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
}

/** Softmax of each row of a matrix [rows, classes]. */
export interface SoftmaxSpec {
  readonly kind: 'softmax';
  readonly rows: number;
  readonly classes: number;
}

/** Batch norm of [batch, channels, side, side] by the batch's own statistics; `step` is the forward and the backward pass. */
export interface BatchNormSpec {
  readonly kind: 'batchNorm';
  readonly pass: 'forward' | 'step';
  readonly batch: number;
  readonly channels: number;
  readonly side: number;
}

/** Pictures in, logits out; batch norms by their running statistics. */
export interface InferenceSpec extends NetworkSpec {
  readonly kind: 'inference';
  readonly batch: number;
}

/** One step of SGD with momentum on the mean cross-entropy of a batch; batch norms by the batch's statistics. */
export interface TrainingStepSpec extends NetworkSpec {
  /** `headStep`: only the classifier trains, and reads the frozen trunk's features, which are given. */
  readonly kind: 'fineTuning' | 'headStep';
  readonly batch: number;
}

/** An epoch of a dense layer on features that are on the device: the real steps of a run, Adam, losses read back. */
export interface HeadEpochSpec {
  readonly kind: 'headEpoch';
  readonly pictures: number;
  readonly features: number;
  readonly classes: number;
  readonly batch: number;
}

/** JPEG files in memory to the bytes that a network reads, batch by batch, on the device. */
export interface InputPipelineSpec {
  readonly kind: 'inputPipeline';
  readonly pictures: number;
  /** Of the files. */
  readonly width: number;
  readonly height: number;
  /** What the network reads. */
  readonly side: number;
  readonly batch: number;
}

/** What other engines are asked to run too. */
export type PeerSpec = MatmulSpec | ConvolutionSpec | SoftmaxSpec | BatchNormSpec | InferenceSpec | TrainingStepSpec;

export type WorkloadSpec = PeerSpec | HeadEpochSpec | InputPipelineSpec;

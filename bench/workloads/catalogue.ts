import type { Workload } from '../workload.js';
import { batchNormWorkloads } from './batchNorm.js';
import { convolutionWorkloads } from './convolution.js';
import { headEpochWorkload } from './headEpoch.js';
import { inferenceWorkload } from './inference.js';
import { inputPipelineWorkload } from './inputPipeline.js';
import { matmulWorkloads } from './matmul.js';
import { softmaxWorkloads } from './softmax.js';
import { fineTuningWorkload, headStepWorkload } from './training.js';

const ARCHITECTURES = ['mobilenet_v2', 'squeezenet1_1', 'resnet18', 'resnet50'];

/** Every workload, in the order of the table. */
export const workloads = (): Workload[] => [
  ...matmulWorkloads,
  ...convolutionWorkloads,
  ...softmaxWorkloads,
  ...batchNormWorkloads,
  ...ARCHITECTURES.flatMap((architecture) => [
    inferenceWorkload(architecture, 1),
    inferenceWorkload(architecture, 8),
    headStepWorkload(architecture),
    fineTuningWorkload(architecture),
  ]),
  headEpochWorkload(),
  inputPipelineWorkload(),
];

import type { LayerKind } from '../models/network.js';
import { registerEnumType } from 'type-graphql';

// The values are the ones that the services use, so that nothing has to be mapped.

export const SplitEnum = { TRAIN: 'train', VALIDATION: 'validation', TEST: 'test' } as const;
registerEnumType(SplitEnum, {
  name: 'Split',
  description: 'The part of a data set that a picture belongs to.',
  valuesConfig: {
    TRAIN: { description: 'Pictures that the weights are fitted to.' },
    VALIDATION: { description: 'Pictures that pick the best epoch of a run.' },
    TEST: { description: 'Pictures that no run looks at.' },
  },
});

export const OptimizerEnum = { SGD: 'sgd', ADAM: 'adam', ADAMW: 'adamw' } as const;
registerEnumType(OptimizerEnum, {
  name: 'Optimizer',
  description: 'How gradients become updates of the weights.',
  valuesConfig: {
    SGD: { description: 'Stochastic gradient descent with momentum.' },
    ADAM: { description: 'Adam (Kingma and Ba 2015); weight decay is added to the gradient.' },
    ADAMW: { description: 'Adam with decoupled weight decay (Loshchilov and Hutter 2019).' },
  },
});

export const RunStateEnum = {
  QUEUED: 'QUEUED',
  RUNNING: 'RUNNING',
  SUCCEEDED: 'SUCCEEDED',
  FAILED: 'FAILED',
  CANCELLED: 'CANCELLED',
} as const;
registerEnumType(RunStateEnum, {
  name: 'RunState',
  description: 'Where a run is in its life. SUCCEEDED, FAILED and CANCELLED are final.',
  valuesConfig: {
    QUEUED: { description: 'Waits for the worker.' },
    RUNNING: { description: 'Computes.' },
    SUCCEEDED: { description: 'Ended by itself; its revisions are there.' },
    FAILED: { description: 'Ended with an error, which `error` tells.' },
    CANCELLED: { description: 'Ended because a client asked for it.' },
  },
});

export const PrecisionEnum = { FLOAT32: 'float32', MIXED: 'mixed' } as const;
registerEnumType(PrecisionEnum, {
  name: 'Precision',
  description: 'In which numbers a run computes.',
  valuesConfig: {
    FLOAT32: { description: 'Everything in 32 bits.' },
    MIXED: {
      description:
        'Activations and copies of the weights in 16 bits, sums, updates and the weights themselves in 32 bits, with a loss scale that adapts. Half the memory for activations, faster on most GPUs; needs an adapter with shader-f16.',
    },
  },
});

export const RunEventKindEnum = {
  STATE: 'state',
  PHASE: 'phase',
  COMPILED: 'compiled',
  RESUMED: 'resumed',
  PICTURES: 'pictures',
  STEP: 'step',
  EPOCH: 'epoch',
} as const;
export type RunEventKind = (typeof RunEventKindEnum)[keyof typeof RunEventKindEnum];
registerEnumType(RunEventKindEnum, {
  name: 'RunEventKind',
  description: 'What an event of a run tells; says which of its fields have values.',
  valuesConfig: {
    STATE: { description: 'The state changed.' },
    PHASE: { description: 'A new phase began: `phase`.' },
    COMPILED: {
      description:
        'The training is laid out on the device: `partSize`, `parts`, `dispatchesPerStep`, `deviceBytes`, `seconds`, `tuningSeconds`.',
    },
    RESUMED: {
      description:
        'The run goes on from a checkpoint after the worker or the server died: within `epoch`, whose first `step` steps are done.',
    },
    PICTURES: {
      description: 'Feature extraction or evaluation got on: `done`, `total`, `picturesPerSecond`, `etaSeconds`.',
    },
    STEP: {
      description:
        'Training steps were done: `epoch`, `epochs`, `step`, `steps`, `loss`, `accuracy`, `learningRate`, `picturesPerSecond`, `etaSeconds`.',
    },
    EPOCH: {
      description:
        'An epoch ended: `epoch`, `epochs`, `loss` and `accuracy` on the training pictures, `validationLoss`, `validationAccuracy`, `seconds`.',
    },
  },
});

export const RunPhaseEnum = {
  COMPILING: 'compiling',
  FEATURES: 'features',
  TRAINING: 'training',
  EVALUATING: 'evaluating',
} as const;
registerEnumType(RunPhaseEnum, {
  name: 'RunPhase',
  description: 'What a running run is doing.',
  valuesConfig: {
    COMPILING: { description: 'Compiles the network into GPU programs.' },
    FEATURES: { description: 'Computes the outputs of the frozen trunk, once for each picture.' },
    TRAINING: { description: 'Fits the weights.' },
    EVALUATING: { description: 'Measures on pictures that are not trained on.' },
  },
});

export const LayerKindEnum = {
  INPUT: 'input',
  CONV2D: 'conv2d',
  DENSE: 'dense',
  BATCH_NORM: 'batchNorm',
  ACTIVATION: 'activation',
  MAX_POOL: 'maxPool',
  AVERAGE_POOL: 'averagePool',
  GLOBAL_AVERAGE_POOL: 'globalAveragePool',
  ADD: 'add',
  CONCAT: 'concat',
  FLATTEN: 'flatten',
  DROPOUT: 'dropout',
  SOFTMAX: 'softmax',
  ZERO_PAD: 'zeroPad',
  PARAMETER: 'parameter',
  LAYER_NORM: 'layerNorm',
  CHANNEL_NORM: 'channelNorm',
  GROUP_NORM: 'groupNorm',
  LOCAL_RESPONSE_NORM: 'localResponseNorm',
  L2_NORMALIZE: 'l2Normalize',
  PRELU: 'prelu',
  ADAPTIVE_AVERAGE_POOL: 'adaptiveAveragePool',
  BINARY: 'binary',
  UNARY: 'unary',
  RESHAPE: 'reshape',
  TRANSPOSE: 'transpose',
  SLICE: 'slice',
  EXPAND: 'expand',
  CHANNEL_SHUFFLE: 'channelShuffle',
  PAD: 'pad',
  RESIZE: 'resize',
  REDUCE: 'reduce',
  LOG_SOFTMAX: 'logSoftmax',
  MATMUL: 'matmul',
  DENSE2D: 'dense2d',
  STOCHASTIC_DEPTH: 'stochasticDepth',
  CONV_TRANSPOSE2D: 'convTranspose2d',
  CONV3D: 'conv3d',
  CONV_TRANSPOSE3D: 'convTranspose3d',
  MAX_POOL_INDICES: 'maxPoolIndices',
  WHERE: 'where',
  GATHER: 'gather',
  GATHER_ELEMENTS: 'gatherElements',
  ARG_EXTREME: 'argExtreme',
  TOP_K: 'topK',
  ROUND_TO: 'roundTo',
  CUMULATIVE_SUM: 'cumulativeSum',
} as const satisfies Readonly<Record<string, LayerKind>>;
registerEnumType(LayerKindEnum, {
  name: 'LayerKind',
  description: 'What a layer computes.',
  valuesConfig: {
    INPUT: { description: 'The pictures, normalised.' },
    CONV2D: { description: 'Two-dimensional convolution, also grouped and depthwise.' },
    DENSE: { description: 'Fully connected.' },
    BATCH_NORM: { description: 'Batch normalisation (Ioffe and Szegedy 2015).' },
    ACTIVATION: { description: 'A function of each value: ReLU, sigmoid, hard-swish ...' },
    MAX_POOL: { description: 'Largest value of a window.' },
    AVERAGE_POOL: { description: 'Mean of a window.' },
    GLOBAL_AVERAGE_POOL: { description: 'Mean over all pixels of a channel.' },
    ADD: { description: 'Sum of two inputs, the end of a residual block.' },
    CONCAT: { description: 'Inputs one after another along the channels.' },
    FLATTEN: { description: 'All values in one row.' },
    DROPOUT: { description: 'Sets random values to zero while training (Srivastava et al. 2014).' },
    SOFTMAX: { description: 'Logits to probabilities.' },
    ZERO_PAD: { description: 'Zeros around the feature map.' },
    PARAMETER: { description: 'A tensor of the weights as a value: a layer scale, a constant of a file.' },
    LAYER_NORM: { description: 'Layer normalisation over the last axes (Ba et al. 2016).' },
    CHANNEL_NORM: { description: 'Layer normalisation over the channels at each pixel, as in ConvNeXt.' },
    GROUP_NORM: {
      description: 'Group normalisation (Wu and He 2018); instance normalisation with a group for each channel.',
    },
    LOCAL_RESPONSE_NORM: { description: 'Local response normalisation across channels (Krizhevsky et al. 2012).' },
    L2_NORMALIZE: { description: 'Divides by the L2 norm along an axis.' },
    PRELU: { description: 'ReLU with a learned slope below 0 (He et al. 2015).' },
    ADAPTIVE_AVERAGE_POOL: { description: 'Means of windows that share the map out to a given size.' },
    BINARY: { description: 'A function of two inputs, value by value; they broadcast.' },
    UNARY: { description: 'A function of one variable, value by value: exp, log, square root ...' },
    RESHAPE: { description: 'The same values in their order under another shape.' },
    TRANSPOSE: { description: 'Axes in another order.' },
    SLICE: { description: 'A range of some axes.' },
    EXPAND: { description: 'Repeats along axes of size 1.' },
    CHANNEL_SHUFFLE: { description: 'Mixes the channels of groups (Zhang et al. 2018, ShuffleNet).' },
    PAD: { description: 'Padding along any axis, with a value, mirrored or repeated.' },
    RESIZE: { description: 'Maps at another size, by the nearest pixel or bilinear.' },
    REDUCE: { description: 'Sum, mean, largest, smallest or L2 norm over some axes.' },
    LOG_SOFTMAX: { description: 'Logarithm of the softmax.' },
    MATMUL: { description: 'Product of matrices.' },
    DENSE2D: { description: 'Weighted sums over the channels at each pixel, whose weight is a matrix.' },
    STOCHASTIC_DEPTH: { description: 'Leaves out a residual branch for random pictures while training.' },
    CONV_TRANSPOSE2D: { description: 'Transposed two-dimensional convolution.' },
    CONV3D: { description: 'Three-dimensional convolution.' },
    CONV_TRANSPOSE3D: { description: 'Transposed three-dimensional convolution.' },
    MAX_POOL_INDICES: { description: 'Where max pooling finds its values.' },
    WHERE: { description: 'One of two inputs, value by value, as a third one says.' },
    GATHER: { description: 'The parts at given indices along an axis.' },
    GATHER_ELEMENTS: { description: 'The values at given indices of each line along an axis.' },
    ARG_EXTREME: { description: 'Place of the largest or smallest value along an axis.' },
    TOP_K: { description: 'The k largest or smallest values along an axis, or their places.' },
    ROUND_TO: { description: 'What a number type makes of each value.' },
    CUMULATIVE_SUM: { description: 'Sums of all values up to each one along an axis.' },
  },
});

export const FitEnum = {
  STRETCH: 'stretch',
  CENTER_CROP: 'centerCrop',
  RESIZE_THEN_CROP: 'resizeThenCrop',
} as const;
registerEnumType(FitEnum, {
  name: 'Fit',
  description: "How a picture is brought to the network's input size.",
  valuesConfig: {
    STRETCH: { description: 'Resized as a whole; the aspect ratio is ignored.' },
    CENTER_CROP: { description: 'The central `cropFraction` of both sides is resized; the aspect ratio is ignored.' },
    RESIZE_THEN_CROP: {
      description:
        "Resized until the input's size is `cropFraction` of the shorter side; the centre is taken. torchvision's Resize and CenterCrop.",
    },
  },
});

export const InterpolationEnum = { BILINEAR: 'bilinear', CUBIC: 'cubic' } as const;
registerEnumType(InterpolationEnum, {
  name: 'Interpolation',
  description: 'How pixels are resampled.',
  valuesConfig: {
    BILINEAR: { description: 'Linear in both directions.' },
    CUBIC: { description: 'Cubic in both directions.' },
  },
});

export const ChannelOrderEnum = { RGB: 'RGB', BGR: 'BGR', GREY: 'GREY' } as const;
registerEnumType(ChannelOrderEnum, {
  name: 'ChannelOrder',
  description: 'Order of the colour channels in the input of a network.',
  valuesConfig: {
    RGB: { description: 'Red first.' },
    BGR: { description: 'Blue first, as Caffe has it.' },
    GREY: {
      description: 'One channel: 0.299 red + 0.587 green + 0.114 blue (ITU-R BT.601) of the normalised colours.',
    },
  },
});

export const DatasetWarningCodeEnum = {
  SMALL_CLASS: 'SMALL_CLASS',
  DUPLICATE: 'DUPLICATE',
  SPLIT_LEAK: 'SPLIT_LEAK',
  EMPTY_SPLIT: 'EMPTY_SPLIT',
  SKIPPED_FILES: 'SKIPPED_FILES',
} as const;
registerEnumType(DatasetWarningCodeEnum, {
  name: 'DatasetWarningCode',
  description: 'What is doubtful about a data set.',
  valuesConfig: {
    SMALL_CLASS: { description: 'A class has fewer than two pictures.' },
    DUPLICATE: { description: 'The same picture lies in a data set more than once.' },
    SPLIT_LEAK: { description: 'The same picture lies in two splits, so that a measurement is too good.' },
    EMPTY_SPLIT: { description: 'A split has no pictures.' },
    SKIPPED_FILES: { description: 'Some files could not be read as pictures.' },
  },
});

export const DeviceStateEnum = { STARTING: 'STARTING', READY: 'READY', BUSY: 'BUSY', DOWN: 'DOWN' } as const;
registerEnumType(DeviceStateEnum, {
  name: 'DeviceState',
  description: 'What the worker that owns the GPU is doing.',
  valuesConfig: {
    STARTING: { description: 'Opens the GPU.' },
    READY: { description: 'Waits for work.' },
    BUSY: { description: 'Computes.' },
    DOWN: { description: 'Cannot compute; `error` says why.' },
  },
});

export const ExportFormatEnum = {
  PYTORCH: 'PYTORCH',
  TFJS: 'TFJS',
  SAFETENSORS: 'SAFETENSORS',
  ONNX: 'ONNX',
  FOLDER: 'FOLDER',
} as const;
registerEnumType(ExportFormatEnum, {
  name: 'ExportFormat',
  description: 'File formats for trained networks.',
  valuesConfig: {
    SAFETENSORS: { description: 'Weights as safetensors; layers, labels and preprocessing in its metadata.' },
    ONNX: { description: 'For inference, operator set 17, any batch size; labels and preprocessing in its metadata.' },
    TFJS: { description: 'A zip of a TF.js layers-model: model.json and its weight files, for web pages.' },
    PYTORCH: {
      description:
        "A state dict for `torch.load`: the weights alone, under torchvision's names where it has the network.",
    },
    FOLDER: {
      description: 'A zip of all that the network can be written as, with a README that says how to run each file.',
    },
  },
});

export const PictureTypeEnum = { UINT8: 'uint8', FLOAT32: 'float32' } as const;
registerEnumType(PictureTypeEnum, {
  name: 'PictureType',
  description: 'Type of the values 0 to 255 that an exported graph takes.',
  valuesConfig: { UINT8: { description: 'Bytes.' }, FLOAT32: { description: 'The same numbers in float32.' } },
});

export const PictureLayoutEnum = { NHWC: 'NHWC', NCHW: 'NCHW' } as const;
registerEnumType(PictureLayoutEnum, {
  name: 'PictureLayout',
  description: 'Order of the dimensions of the pictures that an exported graph takes.',
  valuesConfig: {
    NHWC: { description: 'Batch, height, width, channels: as pictures lie in files and canvases.' },
    NCHW: { description: 'Batch, channels, height, width.' },
  },
});

export const PreprocessingOriginEnum = {
  FILE: 'file',
  ZOO: 'zoo',
  REQUEST: 'request',
  DEFAULT: 'default',
  NETWORK: 'network',
} as const;
registerEnumType(PreprocessingOriginEnum, {
  name: 'PreprocessingOrigin',
  description: 'Who said a part of the preprocessing.',
  valuesConfig: {
    FILE: { description: 'The file, or the network itself where it fixes the size.' },
    ZOO: { description: 'The list of the zoo, of these very weights.' },
    REQUEST: { description: 'Who imported or created it.' },
    DEFAULT: { description: "Nobody: ImageNet's was taken." },
    NETWORK: { description: 'The network that was exported.' },
  },
});

export const ComparedValuesEnum = { LOGITS: 'logits', PROBABILITIES: 'probabilities' } as const;
registerEnumType(ComparedValuesEnum, {
  name: 'ComparedValues',
  description: 'What two computations of a network were compared by.',
  valuesConfig: {
    LOGITS: { description: "The network's own output." },
    PROBABILITIES: { description: 'Its softmax.' },
  },
});

export const ZooSourceKindEnum = { URL: 'url', NPM: 'npm', FILE: 'file' } as const;
registerEnumType(ZooSourceKindEnum, {
  name: 'ZooSourceKind',
  description: 'Where a file of the zoo comes from.',
  valuesConfig: {
    URL: { description: 'Downloaded.' },
    NPM: { description: 'Comes with an npm package that Graft depends on.' },
    FILE: { description: 'Comes with Graft.' },
  },
});

export const DownloadStateEnum = { RUNNING: 'RUNNING', SUCCEEDED: 'SUCCEEDED', FAILED: 'FAILED' } as const;
registerEnumType(DownloadStateEnum, {
  name: 'DownloadState',
  description: 'Where a download is in its life. SUCCEEDED and FAILED are final.',
  valuesConfig: {
    RUNNING: { description: 'Under way.' },
    SUCCEEDED: { description: 'Everything is here, checked and read.' },
    FAILED: { description: 'Ended with an error or because a client asked for it; `error` says which.' },
  },
});

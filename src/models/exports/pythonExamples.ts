import type { OnnxExportOptions } from '../formats/onnx/exportOnnx.js';
import { LUMA } from '../../kernels/ops/pictures/pictures.js';
import type { Preprocessing } from '../network.js';

const list = (values: readonly number[]): string => `[${values.join(', ')}]`;

/** Brings a Pillow image to the input's size. Python's `round` and integer division are what `resizing` does. */
function resize({ fit, width, height, cropFraction, interpolation }: Preprocessing): string[] {
  const method = interpolation === 'bilinear' ? 'Image.BILINEAR' : 'Image.BICUBIC';
  switch (fit) {
    case 'stretch':
      return [`image = image.resize((${width}, ${height}), ${method})`];
    case 'centerCrop':
      return [
        `w, h = (max(1, int(side * ${cropFraction} + 0.5)) for side in image.size)`,
        'left, top = (image.width - w) // 2, (image.height - h) // 2',
        `image = image.crop((left, top, left + w, top + h)).resize((${width}, ${height}), ${method})`,
      ];
    case 'resizeThenCrop':
      return [
        `least_w, least_h = ${Math.round(width / cropFraction)}, ${Math.round(height / cropFraction)}`,
        'if image.width * least_h <= image.height * least_w:',
        '    w, h = least_w, least_w * image.height // image.width',
        'else:',
        '    w, h = least_h * image.width // image.height, least_h',
        `left, top = round((w - ${width}) / 2), round((h - ${height}) / 2)`,
        `image = image.resize((w, h), ${method}).crop((left, top, left + ${width}, top + ${height}))`,
      ];
  }
}

/** Turns the image into the array that the network reads, NCHW. */
function values({ channelOrder, scale, mean, std }: Preprocessing): string[] {
  return [
    `x = np.asarray(image, np.float32)${channelOrder === 'BGR' ? '[:, :, ::-1]' : ''}`,
    `x = (x / ${scale} - np.array(${list(mean)})) / np.array(${list(std)})`,
    ...(channelOrder === 'GREY' ? [`x = x @ np.array(${list(LUMA)})[:, None]`] : []),
    'return np.ascontiguousarray(x.transpose(2, 0, 1)[None], np.float32)',
  ];
}

/** Turns the image into the array that a graph with the preprocessing inside reads. */
const pixels = ({ type, layout }: NonNullable<OnnxExportOptions['pictures']>): string[] => [
  `x = np.asarray(image, np.${type})`,
  layout === 'NHWC' ? 'return x[None]' : 'return np.ascontiguousarray(x.transpose(2, 0, 1)[None])',
];

const program = (library: string, read: readonly string[], rest: readonly string[]): string =>
  [
    library,
    'import numpy as np',
    'from PIL import Image, ImageOps',
    '',
    '',
    'def read(path):',
    '    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")',
    ...read.map((line) => `    ${line}`),
    '',
    '',
    ...rest,
    '',
  ].join('\n');

const best = (hasLabels: boolean): string[] =>
  hasLabels
    ? [
        'labels = open("labels.txt", encoding="utf-8").read().splitlines()',
        'for i in scores.argsort()[::-1][:5]:',
        '    print(labels[i], scores[i])',
      ]
    : ['print(scores.argsort()[::-1][:5])'];

/** A Python program that classifies picture.jpg with model.onnx. */
export function onnxInPython(
  preprocessing: Preprocessing,
  {
    input,
    pictures = null,
    hasLabels,
  }: { input: string; pictures?: OnnxExportOptions['pictures']; hasLabels: boolean },
): string {
  const rest = [
    'session = onnxruntime.InferenceSession("model.onnx")',
    `scores = session.run(None, {${JSON.stringify(input)}: read("picture.jpg")})[0][0]`,
    ...best(hasLabels),
  ];
  const read = [...resize(preprocessing), ...(pictures ? pixels(pictures) : values(preprocessing))];
  return program('import onnxruntime', read, rest);
}

/** A Python program that classifies picture.jpg with model.pth, in torchvision's network of that name. */
export function torchvisionInPython(
  preprocessing: Preprocessing,
  { constructor, hasLabels }: { constructor: string; hasLabels: boolean },
): string {
  const rest = [
    `model = torchvision.models.${constructor}`,
    'model.load_state_dict(torch.load("model.pth", weights_only=True))',
    'model.eval()',
    'with torch.no_grad():',
    '    scores = model(torch.from_numpy(read("picture.jpg")))[0].softmax(0).numpy()',
    ...best(hasLabels),
  ];
  return program('import torch\nimport torchvision', [...resize(preprocessing), ...values(preprocessing)], rest);
}

import type { OnnxExportOptions } from '../formats/onnx/exportOnnx.js';
import { channelsOf, LUMA } from '../../kernels/ops/pictures/pictures.js';
import type { Preprocessing } from '../network.js';

/** Draws an image onto a canvas of the input's size and gives its pixels, RGBA. */
function draw({ fit, width, height, cropFraction }: Preprocessing): string[] {
  const region = {
    stretch: ['const [w, h] = [image.naturalWidth, image.naturalHeight];'],
    centerCrop: [`const [w, h] = [image.naturalWidth * ${cropFraction}, image.naturalHeight * ${cropFraction}];`],
    resizeThenCrop: [
      `const scale = ${cropFraction} * Math.min(image.naturalWidth / ${width}, image.naturalHeight / ${height});`,
      `const [w, h] = [${width} * scale, ${height} * scale];`,
    ],
  }[fit];
  return [
    'export function pixelsOf(image) {',
    `  const canvas = Object.assign(document.createElement('canvas'), { width: ${width}, height: ${height} });`,
    "  const context = canvas.getContext('2d');",
    "  context.imageSmoothingQuality = 'high';",
    ...region.map((line) => `  ${line}`),
    '  const [left, top] = [(image.naturalWidth - w) / 2, (image.naturalHeight - h) / 2];',
    `  context.drawImage(image, left, top, w, h, 0, 0, ${width}, ${height});`,
    `  return context.getImageData(0, 0, ${width}, ${height}).data;`,
    '}',
  ];
}

/** The value of channel `c` at pixel `i`, normalised. */
const normalised = ({ channelOrder, scale }: Preprocessing): string =>
  `(rgba[4 * i + ${channelOrder === 'BGR' ? '2 - c' : 'c'}] / ${scale} - mean[c]) / deviation[c]`;

/** The body of a loop over pixels `i` and channels `c` that fills `x`. */
function fill(preprocessing: Preprocessing, layout: 'NHWC' | 'NCHW', isNormalised: boolean): string[] {
  const { width, height, mean, std } = preprocessing;
  const isGrey = isNormalised && preprocessing.channelOrder === 'GREY';
  const place = layout === 'NHWC' ? '3 * i + c' : `c * ${width * height} + i`;
  const value = isNormalised ? normalised(preprocessing) : 'rgba[4 * i + c]';
  const constants = [`  const mean = [${mean.join(', ')}];`, `  const deviation = [${std.join(', ')}];`];
  return [
    ...(isNormalised ? constants : []),
    ...(isGrey ? [`  const luma = [${LUMA.join(', ')}];`] : []),
    `  for (let i = 0; i < ${width * height}; i++) {`,
    '    for (let c = 0; c < 3; c++) {',
    isGrey ? `      x[i] += luma[c] * ${value};` : `      x[${place}] = ${value};`,
    '    }',
    '  }',
  ];
}

/** A JavaScript module that classifies an image element with model.onnx. */
export function onnxInJavascript(
  preprocessing: Preprocessing,
  { input, output, pictures = null }: { input: string; output: string; pictures?: OnnxExportOptions['pictures'] },
): string {
  const { width, height } = preprocessing;
  const layout = pictures?.layout ?? 'NCHW';
  const type = pictures?.type ?? 'float32';
  const array = type === 'uint8' ? 'Uint8Array' : 'Float32Array';
  const channels = pictures ? 3 : channelsOf(preprocessing);
  const shape = layout === 'NHWC' ? [1, height, width, channels] : [1, channels, height, width];
  return [
    "import * as ort from 'onnxruntime-web';",
    '',
    ...draw(preprocessing),
    '',
    'export async function classify(session, rgba) {',
    `  const x = new ${array}(${channels * width * height});`,
    ...fill(preprocessing, layout, !pictures),
    `  const input = new ort.Tensor('${type}', x, [${shape.join(', ')}]);`,
    `  return (await session.run({ ${JSON.stringify(input)}: input }))[${JSON.stringify(output)}].data;`,
    '}',
    '',
    "// const session = await ort.InferenceSession.create('model.onnx');",
    '// const scores = await classify(session, pixelsOf(image));',
    '',
  ].join('\n');
}

/** A JavaScript module that classifies an image element with the TF.js layers-model in the folder tfjs. */
export function tfjsInJavascript(preprocessing: Preprocessing): string {
  const { width, height } = preprocessing;
  const channels = channelsOf(preprocessing);
  return [
    "import * as tf from '@tensorflow/tfjs';",
    '',
    ...draw(preprocessing),
    '',
    'export async function classify(model, rgba) {',
    `  const x = new Float32Array(${channels * width * height});`,
    ...fill(preprocessing, 'NHWC', true),
    `  return model.predict(tf.tensor4d(x, [1, ${height}, ${width}, ${channels}])).data();`,
    '}',
    '',
    "// const model = await tf.loadLayersModel('tfjs/model.json');",
    '// const scores = await classify(model, pixelsOf(image));',
    '',
  ].join('\n');
}

import type { OnnxExportOptions } from '../formats/onnx/exportOnnx.js';
import type { InputLayer, Network } from '../network.js';
import { onnxInJavascript, tfjsInJavascript } from './javascriptExamples.js';
import { resizeText, valuesText } from './preprocessingText.js';
import { onnxInPython, torchvisionInPython } from './pythonExamples.js';

/** What lies in the folder. */
export interface FolderContents {
  /** Names of the graph's input and output, and how it was written; null where there is no ONNX file. */
  readonly onnx: { readonly input: string; readonly output: string; readonly options: OnnxExportOptions } | null;
  /** The call that builds torchvision's network of these weights, where it has one; null where there is no .pth file. */
  readonly pytorch: { readonly torchvision: string | null } | null;
  readonly hasTfjs: boolean;
  /** What is missing, with the reason. */
  readonly leftOut: readonly string[];
}

const code = (language: string, text: string): string => `\`\`\`${language}\n${text}\`\`\``;

function inputText(network: Network, { options, input }: NonNullable<FolderContents['onnx']>): string {
  const [channels, height, width] = (network.layers[0] as InputLayer).shape as [number, number, number];
  if (!options.pictures) {
    const shape = `[batch, ${channels}, ${height}, ${width}]`;
    return `Its input \`${input}\` is float32 ${shape}: the values as under "From a picture to the input". Any batch size.`;
  }
  const { type, layout } = options.pictures;
  const shape = layout === 'NHWC' ? `[batch, ${height}, ${width}, 3]` : `[batch, 3, ${height}, ${width}]`;
  const values = 'red, green and blue as they are in the picture, 0 to 255';
  return `Its input \`${input}\` is ${type} ${shape}: ${values}, resized as below; the rest is in the graph. Any batch size.`;
}

function outputText(network: Network, { options, output }: NonNullable<FolderContents['onnx']>): string {
  const what = options.softmax || network.layers.at(-1)?.kind === 'softmax' ? 'probabilities' : 'logits (no softmax)';
  return `Its output \`${output}\` holds ${what}, one for each class.`;
}

function onnxSection(network: Network, onnx: NonNullable<FolderContents['onnx']>): string[] {
  const { preprocessing, classes } = network;
  const { input, output, options } = onnx;
  const python = { input, pictures: options.pictures, hasLabels: classes !== null };
  return [
    '## model.onnx',
    `${inputText(network, onnx)} ${outputText(network, onnx)}`,
    'Python, with `pip install onnxruntime pillow numpy`:',
    code('python', onnxInPython(preprocessing, python)),
    'A web page, with [onnxruntime-web](https://www.npmjs.com/package/onnxruntime-web). A canvas resizes a little\ndifferently from what the network was trained on, so the scores differ a little too:',
    code('js', onnxInJavascript(preprocessing, { input, output, pictures: options.pictures })),
  ];
}

function pytorchSection({ preprocessing, classes }: Network, constructor: string | null): string[] {
  const title = '## model.pth';
  if (constructor === null) {
    return [
      title,
      'The weights as a PyTorch state dict, to be loaded into a module that computes what `network.json` says; torchvision has none\nwhose parameters are called so.',
      code(
        'python',
        'import torch\n\nstate = torch.load("model.pth", weights_only=True)\nfor name, tensor in state.items():\n    print(name, tuple(tensor.shape))\n',
      ),
    ];
  }
  return [
    title,
    "The weights as a PyTorch state dict under torchvision's names. With `pip install torch torchvision pillow numpy`:",
    code('python', torchvisionInPython(preprocessing, { constructor, hasLabels: classes !== null })),
  ];
}

function tfjsSection({ preprocessing }: Network): string[] {
  return [
    '## tfjs',
    'A [TF.js](https://www.npmjs.com/package/@tensorflow/tfjs) layers-model on pictures [batch, height, width, channels], for web pages:',
    code('js', tfjsInJavascript(preprocessing)),
  ];
}

/** The page that says what lies in an exported folder and how to run each file. */
export function readme(name: string, network: Network, { onnx, pytorch, hasTfjs, leftOut }: FolderContents): string {
  const { preprocessing, classes, architecture } = network;
  const classText = classes ? `${classes.length} classes, in the order of \`labels.txt\`` : 'unnamed outputs';
  const sections = [
    `# ${name}`,
    `A network of the architecture \`${architecture}\` that tells pictures apart: ${classText}. Written by Graft.`,
    '## From a picture to the input',
    `${resizeText(preprocessing)} ${valuesText(preprocessing)}`,
    'The same is in `preprocessing.json`. Another way of resizing or other values make the network wrong without an error.',
    ...(onnx ? onnxSection(network, onnx) : []),
    ...(pytorch ? pytorchSection(network, pytorch.torchvision) : []),
    ...(hasTfjs ? tfjsSection(network) : []),
    '## model.safetensors, network.json',
    'The weights under their names and the layers as JSON: what Graft itself reads. Import this folder as a zip, or\n`model.safetensors` alone, to go on training.',
    ...(leftOut.length > 0 ? ['## Not in this folder', leftOut.map((line) => `- ${line}`).join('\n')] : []),
  ];
  return `${sections.join('\n\n')}\n`;
}

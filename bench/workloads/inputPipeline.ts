import { GPU_BUFFER_USAGE } from '../../src/kernels/engine.js';
import type { Preprocessing } from '../../src/models/network.js';
import { ahead, batchesOf } from '../../src/training/ahead.js';
import { randomBytes } from '../random.js';
import type { InputPipelineSpec } from '../specs.js';
import type { Workload } from '../workload.js';

/** Smooth colours with some noise, so that the file is as large as a photo's. */
async function photo({ width, height }: InputPipelineSpec, seed: number, index: number): Promise<Buffer> {
  const { default: sharp } = await import('sharp');
  const coarse = { width: 12, height: 9, channels: 3 as const };
  const colours = Buffer.from(randomBytes(12 * 9 * 3, seed, `colours ${index}`));
  const noise = randomBytes(width * height * 3, seed, `noise ${index}`);
  const smooth = await sharp(colours, { raw: coarse }).resize(width, height, { fit: 'fill' }).raw().toBuffer();
  for (const [i, value] of smooth.entries()) smooth[i] = Math.min(255, value + ((noise[i] as number) >> 4));
  return sharp(smooth, { raw: { width, height, channels: 3 } })
    .jpeg({ quality: 90 })
    .toBuffer();
}

export function inputPipelineWorkload(
  width = 500,
  height = 375,
  pictures = 128,
  side = 224,
  batch = 8,
): Workload<InputPipelineSpec> {
  const spec: InputPipelineSpec = { kind: 'inputPipeline', pictures, width, height, side, batch };
  return {
    name: `input-pipeline-${width}x${height}-${pictures}`,
    spec,
    pictures,
    flops: 0,
    // The pixels that the network gets.
    traffic: pictures * side * side * 3,
    async prepare(engine, seed) {
      // Not at the top: where sharp is not installed, the other workloads run.
      const { DecodingPictureSource } = await import('../../src/datasets/pictureSource.js');
      const files = await Promise.all(Array.from({ length: pictures }, (_, i) => photo(spec, seed, i)));
      const preprocessing: Preprocessing = {
        height: side,
        width: side,
        fit: 'centerCrop',
        cropFraction: 0.875,
        interpolation: 'bilinear',
        channelOrder: 'RGB',
        scale: 255,
        mean: [0, 0, 0],
        std: [1, 1, 1],
      };
      const read = async (name: string) => files[Number(name)] as Uint8Array;
      const source = new DecodingPictureSource({ read, preprocessing, cacheBytes: 0 });
      const target = engine.createBuffer(
        'pictures',
        batch * side * side * 3,
        GPU_BUFFER_USAGE.STORAGE | GPU_BUFFER_USAGE.COPY_DST,
      );
      const batches = batchesOf([...files.keys()].map(String), batch);
      return {
        dispatches: 0,
        async run() {
          for await (const [names, bytes] of ahead(batches, 2, (part) => source.load(part))) {
            if (bytes.length !== names.length * side * side * 3) throw new Error('A batch came out short.');
            engine.device.queue.writeBuffer(target, 0, bytes as Uint8Array<ArrayBuffer>);
          }
          await engine.idle();
        },
        results: async () => ({}),
        dispose: () => engine.destroyBuffer(target),
      };
    },
    reference: () => null,
  };
}

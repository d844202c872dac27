import assert from 'node:assert/strict';
import { InferenceSession, Tensor } from 'onnxruntime-node';

/** A value that goes into a graph, row-major. */
export interface OnnxInput {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array;
}
export interface OnnxOutput {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}

/** Runs an ONNX file once by ONNX Runtime on the CPU; inputs and outputs (all in float32) are called as in the graph. */
export async function runOnnx(
  file: Uint8Array,
  inputs: Readonly<Record<string, OnnxInput>>,
): Promise<Readonly<Record<string, OnnxOutput>>> {
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  try {
    const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
      name,
      data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('uint8', data, shape),
    ]);
    const outputs = await session.run(Object.fromEntries(feeds));
    return Object.fromEntries(
      Object.entries(outputs).map(([name, { dims, data }]) => {
        assert.ok(data instanceof Float32Array, `${name} is not float32`);
        return [name, { shape: dims, data }];
      }),
    );
  } finally {
    await session.release();
  }
}

/** The one output of a graph with one input, `shape` being the input's with the batch. */
export async function onnxOutput(
  file: Uint8Array,
  shape: readonly number[],
  data: Float32Array | Uint8Array,
): Promise<OnnxOutput> {
  const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
  const { inputNames } = session;
  await session.release();
  assert.equal(inputNames.length, 1);
  const outputs = Object.values(await runOnnx(file, { [inputNames[0] as string]: { shape, data } }));
  assert.equal(outputs.length, 1);
  return outputs[0] as OnnxOutput;
}

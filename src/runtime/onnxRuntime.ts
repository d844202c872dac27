/** A value that goes into a graph, row-major. */
export interface EngineInput {
  readonly shape: readonly number[];
  readonly data: Float32Array | Uint8Array;
}

/** An engine that is not ours, for comparisons. */
export interface OtherEngine {
  /** With its version. */
  readonly name: string;
  /** Runs an ONNX file once; outputs in float32, others are left out. */
  run(file: Uint8Array, inputs: Readonly<Record<string, EngineInput>>): Promise<Readonly<Record<string, Float32Array>>>;
}

/**
 * ONNX Runtime on the CPU where the package onnxruntime-node is installed, else null: Graft does not need it. Throws what loading
 * the package throws where it is there but broken.
 */
export async function findOnnxRuntime(): Promise<OtherEngine | null> {
  const ort = await load();
  if (!ort) return null;
  const { InferenceSession, Tensor, env } = ort;
  return {
    name: `onnxruntime-node ${env.versions.node ?? env.versions.common}`,
    async run(file, inputs) {
      const session = await InferenceSession.create(file, { logSeverityLevel: 3 });
      try {
        const feeds = Object.entries(inputs).map(([name, { shape, data }]) => [
          name,
          data instanceof Float32Array ? new Tensor('float32', data, shape) : new Tensor('uint8', data, shape),
        ]);
        const outputs = Object.entries(await session.run(Object.fromEntries(feeds)));
        return Object.fromEntries(
          outputs.flatMap(([name, { data }]) => (data instanceof Float32Array ? [[name, data]] : [])),
        );
      } finally {
        await session.release();
      }
    },
  };
}

async function load(): Promise<typeof import('onnxruntime-node') | null> {
  try {
    return await import('onnxruntime-node');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return null;
    throw error;
  }
}

import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** How long it takes until a workload has run once: weights made and uploaded, programs compiled, buffers placed. */
export interface Compilation {
  readonly name: string;
  /** With the driver's cache of compiled programs empty. */
  readonly coldMs: number;
  /** In the next process. */
  readonly warmMs: number;
}

const COMPILED = ['mobilenet_v2-inference-8', 'mobilenet_v2-step-8', 'resnet18-step-8'];

export const compilations = COMPILED.map((workload) => ({ name: `compile-${workload}`, workload }));

const script = fileURLToPath(new URL('./coldStart.js', import.meta.url));

export async function measureCompilation(
  { name, workload }: { readonly name: string; readonly workload: string },
  seed: number,
): Promise<Compilation> {
  const cache = mkdtempSync(join(tmpdir(), 'graft-bench-cache-'));
  // Mesa's and NVIDIA's names for the folder.
  const env = { ...process.env, MESA_SHADER_CACHE_DIR: cache, __GL_SHADER_DISK_CACHE_PATH: cache };
  const start = async (): Promise<number> => {
    const { stdout } = await promisify(execFile)(process.execPath, [script, workload, String(seed)], { env });
    return (JSON.parse(stdout) as { ms: number }).ms;
  };
  try {
    return { name, coldMs: await start(), warmMs: await start() };
  } finally {
    rmSync(cache, { recursive: true, force: true });
  }
}

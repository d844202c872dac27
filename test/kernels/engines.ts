import type { Engine, KernelFamily } from '../../src/kernels/engine.js';
import { openEngine, releaseGpu } from '../../src/runtime/gpu.js';

export interface FamilyEngine {
  readonly family: KernelFamily;
  readonly engine: Engine;
}

/**
 * An engine per kernel family that this adapter can run: `workgroup` everywhere, `subgroup8` on software adapters whose
 * subgroups are 8 wide, as if on two cores, so that the same kernels are chosen everywhere. `skipped` says what could not be opened and why.
 */
export async function openFamilies(): Promise<{ families: FamilyEngine[]; skipped: string | null; close(): void }> {
  const tiled = await openEngine({ kernelFamily: 'workgroup' });
  const families: FamilyEngine[] = [{ family: 'workgroup', engine: tiled }];
  const { adapter } = tiled;
  let skipped: string | null = null;
  if (adapter.isSoftware && adapter.subgroupMinSize === 8 && adapter.subgroupMaxSize === 8) {
    families.push({ family: 'subgroup8', engine: await openEngine({ kernelFamily: 'subgroup8', cores: 2 }) });
  } else {
    skipped = `subgroup8 runs on software adapters with subgroups of 8; this is ${adapter.description} with ${adapter.subgroupMinSize}..${adapter.subgroupMaxSize}`;
  }
  return {
    families,
    skipped,
    close() {
      for (const { engine } of families) engine.destroy();
      releaseGpu();
    },
  };
}

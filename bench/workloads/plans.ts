import type { Dispatch } from '../../src/kernels/dispatch.js';
import type { Engine } from '../../src/kernels/engine.js';
import { PlanBuilder } from '../../src/kernels/planBuilder.js';
import type { Tensor } from '../../src/kernels/tensor.js';
import type { Prepared } from '../workload.js';

/** Leaves out the dispatches of what it is told to skip: a backward pass can then be timed without its forward pass. */
export class PartialPlanBuilder extends PlanBuilder {
  private skipping = false;

  /** Calls `build`; its dispatches do not become part of the plan. */
  without<T>(build: () => T): T {
    this.skipping = true;
    try {
      return build();
    } finally {
      this.skipping = false;
    }
  }

  override dispatch(dispatch: Dispatch): void {
    if (!this.skipping) super.dispatch(dispatch);
  }
}

/**
 * A plan that is timed without reading its outputs back, and the same dispatches with them for the check. `build` puts the work
 * onto the builder and returns its outputs; `values` are the inputs.
 */
export async function preparePlan(
  engine: Engine,
  values: Readonly<Record<string, Float32Array>>,
  build: (b: PartialPlanBuilder) => Readonly<Record<string, Tensor>>,
): Promise<Prepared> {
  const b = new PartialPlanBuilder(engine);
  const outputs = build(b);
  const timed = await b.compile();
  timed.run(values);
  return {
    dispatches: timed.dispatchCount,
    run: () => void timed.run(),
    async results() {
      for (const [name, tensor] of Object.entries(outputs)) b.output(name, tensor);
      const checked = await b.compile();
      try {
        return await checked.run(values)();
      } finally {
        checked.dispose();
      }
    },
    dispose: () => timed.dispose(),
  };
}

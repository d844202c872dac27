import { type Dispatch, linearGrid, MAX_GROUPS, read, write } from './dispatch.js';
import type { DeviceTensor, Engine } from './engine.js';
import type { Arena } from './arena.js';
import { EngineError } from './errors.js';
import accumulateSource from './ops/accumulate.wgsl.js';
import fillSource from './ops/fill.wgsl.js';
import { castInto } from './ops/cast/cast.js';
import { type PlanMemory, planMemory, shareBuffers } from './placement.js';
import { Plan } from './plan.js';
import { withStorageTypes } from './storageTypes.js';
import { checkShape, type DType, type LayoutKind, quadCount, type Shape, type Tensor } from './tensor.js';

/** Tells whether each input needs a gradient; returns one gradient for each input that does (null elsewhere). */
export type Backward = (outputGradient: Tensor, needs: readonly boolean[]) => readonly (Tensor | null)[];

interface TapeEntry {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly backward: Backward;
}

/**
 * Collects the dispatches of one plan. Ops call `temporary` and `dispatch`, and `differentiable` to put their backward
 * pass on the tape; `compile` places every temporary in reused buffers by liveness and fixes the list.
 */
export class PlanBuilder {
  private readonly tensors: Tensor[] = [];
  private readonly persistents = new Map<number, DeviceTensor>();
  private readonly deviceTensors = new Map<DeviceTensor, Tensor>();
  private readonly inputs = new Map<string, Tensor>();
  private readonly outputs = new Map<string, Tensor>();
  private readonly dispatches: Dispatch[] = [];
  private tape: TapeEntry[] = [];
  private replays = 0;

  /** In which float type feature maps and vectors (`rows` layout) are stored. Parameters and statistics are float32. */
  readonly activationType: 'f32' | 'f16';

  constructor(
    readonly engine: Engine,
    options: { readonly activationType?: 'f32' | 'f16' } = {},
  ) {
    this.activationType = options.activationType ?? 'f32';
    if (this.activationType === 'f16' && !engine.device.features.has('shader-f16')) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        'This adapter cannot store float16 (it lacks shader-f16). Use float32.',
      );
    }
  }

  private floatType(layout: LayoutKind): DType {
    return layout === 'rows' ? this.activationType : 'f32';
  }

  private make(label: string, shape: Shape, dtype: DType, layout: LayoutKind, requiresGradient = false): Tensor {
    checkShape(shape, label);
    const tensor: Tensor = { id: this.tensors.length, label, shape, dtype, layout, requiresGradient };
    this.tensors.push(tensor);
    return tensor;
  }

  /** A value given anew at every run, under its name. f32 in `rows` layout is given in logical order. */
  input(
    name: string,
    shape: Shape,
    options: { dtype?: DType; layout?: LayoutKind; requiresGradient?: boolean } = {},
  ): Tensor {
    if (this.inputs.has(name)) throw new EngineError('INVALID_ARGUMENT', `The plan has an input ${name} already.`);
    const { layout = 'rows', dtype = this.floatType(layout), requiresGradient } = options;
    const tensor = this.make(name, shape, dtype, layout, requiresGradient);
    this.inputs.set(name, tensor);
    return tensor;
  }

  /** A tensor that lives outside of the plan. `trainable` asks `backward` for its gradient. */
  persistent(storage: DeviceTensor, options: { trainable?: boolean } = {}): Tensor {
    const known = this.deviceTensors.get(storage);
    if (known) return known;
    const tensor = this.make(storage.label, storage.shape, storage.dtype, storage.layout, options.trainable);
    this.persistents.set(tensor.id, storage);
    this.deviceTensors.set(storage, tensor);
    return tensor;
  }

  /** A value that lives only within a run of the plan. */
  temporary(label: string, shape: Shape, options: { dtype?: DType; layout?: LayoutKind } = {}): Tensor {
    const { layout = 'rows', dtype = this.floatType(layout) } = options;
    return this.make(label, shape, dtype, layout);
  }

  /**
   * Makes a value that this plan computes end up in `storage`: it is computed right there, or copied where it is a value of
   * its own. Both are dense and of one shape.
   */
  storeIn(tensor: Tensor, storage: DeviceTensor): void {
    const isFree = !this.persistents.has(tensor.id) && ![...this.inputs.values()].includes(tensor);
    const fits = tensor.layout === 'dense' && storage.layout === 'dense' && tensor.dtype === storage.dtype;
    if (isFree && fits && tensor.shape.join() === storage.shape.join()) this.persistents.set(tensor.id, storage);
    else castInto(this, tensor, this.persistent(storage));
  }

  /** A value that is read back after each run, under its name. */
  output(name: string, tensor: Tensor): void {
    this.outputs.set(name, tensor);
  }

  dispatch(dispatch: Dispatch): void {
    if (dispatch.workgroups.some((count) => count > MAX_GROUPS || count < 1 || !Number.isInteger(count))) {
      throw new EngineError(
        'LIMIT_EXCEEDED',
        `${dispatch.label}: a grid of ${dispatch.workgroups.join(' x ')} workgroups; each side must be 1..${MAX_GROUPS}.`,
      );
    }
    this.dispatches.push({ ...dispatch, program: withStorageTypes(dispatch) });
  }

  /** Puts an op's backward pass on the tape where one of its inputs needs a gradient, and marks the output accordingly. */
  differentiable(inputs: readonly Tensor[], output: Tensor, backward: Backward): Tensor {
    if (inputs.some((input) => input.requiresGradient)) {
      output.requiresGradient = true;
      this.tape.push({ inputs, output, backward });
    }
    return output;
  }

  /**
   * Appends the backward pass from `from` and returns the gradients of all tensors on the way, by tensor. `seed` is the
   * gradient of `from`; without it, 1 everywhere (the loss).
   */
  backward(from: Tensor, seed?: Tensor): ReadonlyMap<Tensor, Tensor> {
    return this.backwardOver(this.tape, from, seed ?? this.fill(`d ${from.label}`, from, 1));
  }

  private backwardOver(tape: readonly TapeEntry[], from: Tensor, seed: Tensor): Map<Tensor, Tensor> {
    const gradients = new Map<Tensor, Tensor>([[from, seed]]);
    for (const { inputs, output, backward } of [...tape].reverse()) {
      const gradient = gradients.get(output);
      if (!gradient) continue;
      const results = backward(
        gradient,
        inputs.map((input) => input.requiresGradient),
      );
      inputs.forEach((input, index) => {
        const addend = results[index];
        if (!addend || !input.requiresGradient) return;
        const sum = gradients.get(input);
        gradients.set(input, sum ? this.sum(sum, addend) : addend);
      });
    }
    return gradients;
  }

  /** True while values are computed for a second time: state that moves with a batch must not move again. */
  get isReplaying(): boolean {
    return this.replays > 0;
  }

  /**
   * What `build` puts onto the plan, with none of its intermediate values kept for the backward pass: that computes them
   * again from the values that `build` starts from (Chen et al. 2016, "Training deep nets with sublinear memory cost").
   * `build` is called again for it and has to do the same both times. Results and gradients are the same bits.
   */
  recomputed(build: () => Tensor): Tensor {
    const outer = this.tape;
    this.tape = [];
    const output = build();
    const segment = this.tape;
    this.tape = outer;
    const inside = new Set(segment.map((entry) => entry.output));
    const starts = segment.flatMap(({ inputs }) =>
      inputs.filter((input) => input.requiresGradient && !inside.has(input)),
    );
    const inputs = [...new Set(starts)];
    if (!inside.has(output)) return output;
    return this.differentiable(inputs, output, (gradient) => {
      const before = this.tape;
      this.tape = [];
      this.replays++;
      const again = build();
      this.replays--;
      const gradients = this.backwardOver(this.tape, again, gradient);
      this.tape = before;
      return inputs.map((input) => gradients.get(input) ?? null);
    });
  }

  /** What the plan's buffers will take. Parameters and other persistent tensors are not among them. */
  memory(): PlanMemory {
    const given = new Set([...this.inputs.values()].map(({ id }) => id));
    const isPlaced = (id: number) => given.has(id) || this.persistents.has(id);
    const slots = shareBuffers(this.dispatches, this.outputs, isPlaced);
    return planMemory(this.engine, this.dispatches, this.inputs, this.outputs, slots);
  }

  private sum(a: Tensor, b: Tensor): Tensor {
    const total = this.temporary(a.label, a.shape, { layout: a.layout, dtype: a.dtype });
    this.dispatch({
      label: `accumulate ${a.label}`,
      program: { label: 'accumulate', code: accumulateSource },
      bindings: [read(a), read(b), write(total)],
      uniforms: [quadCount(a)],
      workgroups: linearGrid(quadCount(a)),
    });
    return total;
  }

  /**
   * All dispatches so far as text: programs, constants, sizes and what they read and write. Plans of equal descriptions turn equal
   * inputs and parameters into equal bits on one adapter.
   */
  get description(): string {
    return JSON.stringify(
      this.dispatches.map(({ program, bindings, uniforms, workgroups }) => [
        program.code,
        program.constants ?? {},
        uniforms ?? [],
        workgroups,
        bindings.map(({ tensor: { id, label, dtype, layout, shape }, access }) => [
          id,
          label,
          dtype,
          layout,
          shape,
          access,
        ]),
      ]),
    );
  }

  private fillDispatch(tensor: Tensor, value: number): Dispatch {
    const bits = new Uint32Array(new Float32Array([value]).buffer)[0] as number;
    return {
      label: `fill ${tensor.label}`,
      program: { label: 'fill', code: fillSource },
      bindings: [write(tensor)],
      uniforms: [quadCount(tensor), bits],
      workgroups: linearGrid(quadCount(tensor)),
    };
  }

  /** A temporary of `like`'s shape, layout and float type that holds `value` everywhere. */
  fill(label: string, like: Tensor, value: number): Tensor {
    const tensor = this.temporary(label, like.shape, { layout: like.layout, dtype: like.dtype });
    this.dispatch(this.fillDispatch(tensor, value));
    return tensor;
  }

  /**
   * Compiles all programs in parallel, allocates every buffer and binds them. With `arena`, temporaries lie in buffers that
   * several plans share.
   * `poison` fills each output of a dispatch with NaN before the dispatch, so that an element it does not write shows.
   */
  async compile(options: { poison?: boolean; arena?: Arena } = {}): Promise<Plan> {
    let dispatches: Dispatch[] = this.dispatches;
    if (options.poison) {
      dispatches = dispatches.flatMap((dispatch) => {
        const written = dispatch.bindings.filter(
          (binding) => binding.access === 'write' && binding.tensor.dtype.startsWith('f'),
        );
        const fills = written.map((binding) => this.fillDispatch(binding.tensor, Number.NaN));
        return [...fills.map((fill) => ({ ...fill, program: withStorageTypes(fill) })), dispatch];
      });
    }
    return Plan.create(this.engine, dispatches, this.persistents, this.inputs, this.outputs, options.arena ?? null);
  }
}

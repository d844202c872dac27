import { type DeviceTensor, type Engine, GPU_BUFFER_USAGE, GPU_MAP_READ, type Program } from './engine.js';
import { EngineError } from './errors.js';
import accumulateSource from './ops/accumulate.wgsl.js';
import fillSource from './ops/fill.wgsl.js';
import {
  alignTo,
  byteLength,
  checkShape,
  type DType,
  elementCount,
  type LayoutKind,
  packRows,
  type Shape,
  type Tensor,
  unpackRows,
} from './tensor.js';

/** A 32-bit float in a dispatch's uniforms; plain numbers there are (signed or unsigned) 32-bit integers. */
export interface Float32Uniform {
  readonly f32: number;
}
export const f32 = (value: number): Float32Uniform => ({ f32: value });

export type Access = 'read' | 'write' | 'readwrite';
export interface Binding {
  readonly tensor: Tensor;
  /** `write` promises that every element is written (padding of rows excepted). */
  readonly access: Access;
}
export type Grid = readonly [x: number, y: number, z: number];

/** One compute dispatch. Bindings 0..n-1 are the tensors in order; the uniforms, if any, are binding n. */
export interface Dispatch {
  readonly label: string;
  readonly program: Program;
  readonly bindings: readonly Binding[];
  readonly uniforms?: readonly (number | Float32Uniform)[];
  readonly workgroups: Grid;
}

/** Tells whether each input needs a gradient; returns one gradient for each input that does (null elsewhere). */
export type Backward = (outputGradient: Tensor, needs: readonly boolean[]) => readonly (Tensor | null)[];

interface TapeEntry {
  readonly inputs: readonly Tensor[];
  readonly output: Tensor;
  readonly backward: Backward;
}

const WORKGROUP = 64;
const MAX_GROUPS = 65535;

/** Grid for a kernel whose index is `id.y * num_workgroups.x * workgroupSize + id.x` over `count` invocations. */
export function linearGrid(count: number, workgroupSize = WORKGROUP): Grid {
  const groups = Math.max(1, Math.ceil(count / workgroupSize));
  const y = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / y), y, 1];
}

export const read = (tensor: Tensor): Binding => ({ tensor, access: 'read' });
export const write = (tensor: Tensor): Binding => ({ tensor, access: 'write' });
export const readWrite = (tensor: Tensor): Binding => ({ tensor, access: 'readwrite' });

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
  private readonly tape: TapeEntry[] = [];

  constructor(readonly engine: Engine) {}

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
    const tensor = this.make(name, shape, options.dtype ?? 'f32', options.layout ?? 'rows', options.requiresGradient);
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
    return this.make(label, shape, options.dtype ?? 'f32', options.layout ?? 'rows');
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
    this.dispatches.push(dispatch);
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
    const gradients = new Map<Tensor, Tensor>();
    gradients.set(from, seed ?? this.fill(`d ${from.label}`, from, 1));
    for (const { inputs, output, backward } of [...this.tape].reverse()) {
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

  private quads(tensor: Tensor): number {
    return byteLength(tensor.shape, tensor.dtype, tensor.layout) / 16;
  }

  private sum(a: Tensor, b: Tensor): Tensor {
    const total = this.temporary(a.label, a.shape, { layout: a.layout });
    this.dispatch({
      label: `accumulate ${a.label}`,
      program: { label: 'accumulate', code: accumulateSource },
      bindings: [read(a), read(b), write(total)],
      uniforms: [this.quads(a)],
      workgroups: linearGrid(this.quads(a)),
    });
    return total;
  }

  private fillDispatch(tensor: Tensor, value: number): Dispatch {
    const bits = new Uint32Array(new Float32Array([value]).buffer)[0] as number;
    return {
      label: `fill ${tensor.label}`,
      program: { label: 'fill', code: fillSource },
      bindings: [write(tensor)],
      uniforms: [this.quads(tensor), bits],
      workgroups: linearGrid(this.quads(tensor)),
    };
  }

  /** A float32 temporary of `like`'s shape and layout that holds `value` everywhere. */
  fill(label: string, like: Tensor, value: number): Tensor {
    const tensor = this.temporary(label, like.shape, { layout: like.layout });
    this.dispatch(this.fillDispatch(tensor, value));
    return tensor;
  }

  /**
   * Compiles all programs in parallel, allocates every buffer and binds them.
   * `poison` fills each output of a dispatch with NaN before the dispatch, so that an element it does not write shows.
   */
  async compile(options: { poison?: boolean } = {}): Promise<Plan> {
    let dispatches: Dispatch[] = this.dispatches;
    if (options.poison) {
      dispatches = dispatches.flatMap((dispatch) => {
        const written = dispatch.bindings.filter(
          (binding) => binding.access === 'write' && binding.tensor.dtype === 'f32',
        );
        return [...written.map((binding) => this.fillDispatch(binding.tensor, Number.NaN)), dispatch];
      });
    }
    return Plan.create(this.engine, dispatches, this.persistents, this.inputs, this.outputs);
  }
}

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Grid;
}

/** A compiled plan: a flat list of dispatches with fixed buffers. */
export class Plan {
  private readonly staging: GPUBuffer[] = [];
  private disposed = false;

  private constructor(
    private readonly engine: Engine,
    private readonly steps: readonly Step[],
    private readonly owned: readonly GPUBuffer[],
    private readonly buffers: ReadonlyMap<number, GPUBuffer>,
    private readonly inputs: ReadonlyMap<string, Tensor>,
    private readonly outputs: ReadonlyMap<string, Tensor>,
    /** Bytes of the plan's own buffers (inputs, temporaries, uniforms); parameters are not among them. */
    readonly bytes: number,
  ) {}

  get dispatchCount(): number {
    return this.steps.length;
  }

  static async create(
    engine: Engine,
    dispatches: readonly Dispatch[],
    persistents: ReadonlyMap<number, DeviceTensor>,
    inputs: ReadonlyMap<string, Tensor>,
    outputs: ReadonlyMap<string, Tensor>,
  ): Promise<Plan> {
    checkBindings(engine, dispatches);
    const owned: GPUBuffer[] = [];
    const pipelines = await Promise.all(dispatches.map((dispatch) => engine.pipeline(dispatch.program)));
    try {
      return await engine.checked('Compiling a plan', () => {
        const buffers = new Map<number, GPUBuffer>();
        for (const [id, storage] of persistents) buffers.set(id, storage.buffer);
        const usage = GPU_BUFFER_USAGE.STORAGE | GPU_BUFFER_USAGE.COPY_DST | GPU_BUFFER_USAGE.COPY_SRC;
        for (const tensor of inputs.values()) {
          const buffer = engine.createBuffer(
            tensor.label,
            byteLength(tensor.shape, tensor.dtype, tensor.layout),
            usage,
          );
          owned.push(buffer);
          buffers.set(tensor.id, buffer);
        }
        placeTemporaries(engine, dispatches, outputs, buffers, owned, usage);
        const uniforms = createUniforms(engine, dispatches, owned);
        const steps = dispatches.map((dispatch, index): Step => {
          const pipeline = pipelines[index] as GPUComputePipeline;
          const resources: GPUBindingResource[] = dispatch.bindings.map(({ tensor }) => ({
            buffer: buffers.get(tensor.id) as GPUBuffer,
            size: byteLength(tensor.shape, tensor.dtype, tensor.layout),
          }));
          const uniform = uniforms[index];
          if (uniform) resources.push(uniform);
          const group = engine.device.createBindGroup({
            label: dispatch.label,
            layout: pipeline.getBindGroupLayout(0),
            entries: resources.map((resource, binding) => ({ binding, resource })),
          });
          return { pipeline, group, workgroups: dispatch.workgroups };
        });
        const bytes = owned.reduce((sum, buffer) => sum + buffer.size, 0);
        return new Plan(engine, steps, owned, buffers, inputs, outputs, bytes);
      });
    } catch (error) {
      for (const buffer of owned) engine.destroyBuffer(buffer);
      throw error;
    }
  }

  private outputBytes(): number {
    let bytes = 0;
    for (const tensor of this.outputs.values()) bytes += byteLength(tensor.shape, tensor.dtype, tensor.layout);
    return bytes;
  }

  /**
   * Writes the inputs, submits the whole list once and starts reading the outputs back. The returned function waits for
   * them; call it a step later to keep the GPU busy. Inputs left out keep their last value.
   */
  run(
    values: Readonly<Record<string, ArrayBufferView>> = {},
  ): () => Promise<Record<string, Float32Array<ArrayBuffer>>> {
    if (this.disposed) throw new EngineError('INVALID_ARGUMENT', 'The plan was disposed of.');
    this.engine.assertAlive();
    for (const [name, value] of Object.entries(values)) this.writeInput(name, value);
    const { device } = this.engine;
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    for (const step of this.steps) {
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, step.group);
      pass.dispatchWorkgroups(...step.workgroups);
    }
    pass.end();
    if (this.outputs.size === 0) {
      device.queue.submit([encoder.finish()]);
      return async () => ({});
    }
    const staging =
      this.staging.pop() ??
      this.engine.createBuffer(
        'plan outputs',
        this.outputBytes(),
        GPU_BUFFER_USAGE.MAP_READ | GPU_BUFFER_USAGE.COPY_DST,
      );
    let offset = 0;
    for (const tensor of this.outputs.values()) {
      const bytes = byteLength(tensor.shape, tensor.dtype, tensor.layout);
      encoder.copyBufferToBuffer(this.buffers.get(tensor.id) as GPUBuffer, 0, staging, offset, bytes);
      offset += bytes;
    }
    device.queue.submit([encoder.finish()]);
    const mapped = staging.mapAsync(GPU_MAP_READ);
    mapped.catch(() => undefined);
    return () => this.collect(staging, mapped);
  }

  private async collect(
    staging: GPUBuffer,
    mapped: Promise<undefined>,
  ): Promise<Record<string, Float32Array<ArrayBuffer>>> {
    await this.engine.settle(mapped);
    const raw = staging.getMappedRange().slice(0);
    staging.unmap();
    if (this.disposed) this.engine.destroyBuffer(staging);
    else this.staging.push(staging);
    const result: Record<string, Float32Array<ArrayBuffer>> = {};
    let offset = 0;
    for (const [name, tensor] of this.outputs) {
      const bytes = byteLength(tensor.shape, tensor.dtype, tensor.layout);
      const values = new Float32Array(raw, offset, bytes / 4);
      result[name] =
        tensor.layout === 'rows' ? unpackRows(values, tensor.shape) : values.slice(0, elementCount(tensor.shape));
      offset += bytes;
    }
    return result;
  }

  private writeInput(name: string, value: ArrayBufferView): void {
    const tensor = this.inputs.get(name);
    if (!tensor) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        `The plan has no input ${name}; it has ${[...this.inputs.keys()].join(', ')}.`,
      );
    }
    const expected = elementCount(tensor.shape) * (tensor.dtype === 'u8' ? 1 : 4);
    if (value.byteLength !== expected) {
      throw new EngineError(
        'INVALID_SHAPE',
        `Input ${name} is ${tensor.dtype} [${tensor.shape.join(', ')}]: ${expected} bytes expected, ${value.byteLength} given.`,
      );
    }
    let data = value;
    if (tensor.layout === 'rows' && tensor.dtype === 'f32') {
      data = packRows(new Float32Array(value.buffer, value.byteOffset, value.byteLength / 4), tensor.shape);
    } else if (value.byteLength % 4 !== 0) {
      const padded = new Uint8Array(alignTo(value.byteLength, 4));
      padded.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      data = padded;
    }
    this.engine.device.queue.writeBuffer(
      this.buffers.get(tensor.id) as GPUBuffer,
      0,
      data.buffer as ArrayBuffer,
      data.byteOffset,
      data.byteLength,
    );
  }

  /** Frees the plan's buffers. Persistent tensors stay. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    for (const buffer of [...this.owned, ...this.staging]) this.engine.destroyBuffer(buffer);
    this.staging.length = 0;
  }
}

/** What a shader may bind is often far less than what a buffer may hold: 128 MiB by default, and on software adapters. */
function checkBindings(engine: Engine, dispatches: readonly Dispatch[]): void {
  const largest = engine.device.limits.maxStorageBufferBindingSize;
  for (const { bindings } of dispatches) {
    for (const { tensor } of bindings) {
      const bytes = byteLength(tensor.shape, tensor.dtype, tensor.layout);
      if (bytes <= largest) continue;
      throw new EngineError(
        'LIMIT_EXCEEDED',
        `${tensor.label} [${tensor.shape.join(', ')}] takes ${bytes} bytes; this adapter binds at most ${largest}. Use a smaller batch or smaller pictures.`,
      );
    }
  }
}

interface Lifetime {
  readonly tensor: Tensor;
  first: number;
  last: number;
}

/** Gives every temporary a buffer; two share one where their lifetimes do not meet (largest first, best fit). */
function placeTemporaries(
  engine: Engine,
  dispatches: readonly Dispatch[],
  outputs: ReadonlyMap<string, Tensor>,
  buffers: Map<number, GPUBuffer>,
  owned: GPUBuffer[],
  usage: number,
): void {
  const lifetimes = new Map<number, Lifetime>();
  dispatches.forEach((dispatch, index) => {
    for (const { tensor, access } of dispatch.bindings) {
      if (buffers.has(tensor.id)) continue;
      const lifetime = lifetimes.get(tensor.id);
      if (lifetime) lifetime.last = index;
      else if (access === 'read') {
        throw new EngineError(
          'INVALID_ARGUMENT',
          `${dispatch.label} reads ${tensor.label}, which nothing has written.`,
        );
      } else lifetimes.set(tensor.id, { tensor, first: index, last: index });
    }
  });
  for (const [name, tensor] of outputs) {
    if (buffers.has(tensor.id)) continue;
    const lifetime = lifetimes.get(tensor.id);
    if (!lifetime) throw new EngineError('INVALID_ARGUMENT', `The output ${name} is computed by nothing.`);
    lifetime.last = dispatches.length;
  }
  const size = ({ tensor }: Lifetime) => byteLength(tensor.shape, tensor.dtype, tensor.layout);
  const slots: { bytes: number; tenants: Lifetime[] }[] = [];
  for (const lifetime of [...lifetimes.values()].sort((a, b) => size(b) - size(a) || a.tensor.id - b.tensor.id)) {
    const free = (slot: { tenants: Lifetime[] }) =>
      slot.tenants.every((tenant) => tenant.last < lifetime.first || lifetime.last < tenant.first);
    // Slots were opened largest first, so the last free one wastes least.
    const slot = slots.findLast(free);
    if (slot) slot.tenants.push(lifetime);
    else slots.push({ bytes: size(lifetime), tenants: [lifetime] });
  }
  for (const slot of slots) {
    const buffer = engine.createBuffer('arena', slot.bytes, usage);
    owned.push(buffer);
    for (const tenant of slot.tenants) buffers.set(tenant.tensor.id, buffer);
  }
}

/** All uniforms of a plan in one buffer, written once. */
function createUniforms(
  engine: Engine,
  dispatches: readonly Dispatch[],
  owned: GPUBuffer[],
): (GPUBufferBinding | null)[] {
  const alignment = engine.device.limits.minUniformBufferOffsetAlignment;
  let bytes = 0;
  const places = dispatches.map(({ uniforms }) => {
    if (!uniforms?.length) return null;
    const place = { offset: bytes, size: alignTo(uniforms.length * 4, 16) };
    bytes += alignTo(place.size, alignment);
    return place;
  });
  if (bytes === 0) return places.map(() => null);
  const view = new DataView(new ArrayBuffer(bytes));
  places.forEach((place, index) => {
    if (!place) return;
    dispatches[index]?.uniforms?.forEach((value, position) => {
      const at = place.offset + position * 4;
      if (typeof value === 'number') view.setInt32(at, value, true);
      else view.setFloat32(at, value.f32, true);
    });
  });
  const buffer = engine.createBuffer('uniforms', bytes, GPU_BUFFER_USAGE.UNIFORM | GPU_BUFFER_USAGE.COPY_DST);
  owned.push(buffer);
  engine.device.queue.writeBuffer(buffer, 0, view.buffer);
  return places.map((place) => place && { buffer, offset: place.offset, size: place.size });
}

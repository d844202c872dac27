import { ARENA_USAGE, Arena } from './arena.js';
import type { Dispatch, Grid } from './dispatch.js';
import { type DeviceTensor, type Engine, GPU_BUFFER_USAGE, GPU_MAP_READ } from './engine.js';
import { EngineError } from './errors.js';
import { checkBindings, createUniforms, type Place, type PlanMemory, planMemory, shareBuffers } from './placement.js';
import { someValues, timePass } from './measurement.js';
import { alignTo, BYTES_PER_ELEMENT, byteLength, elementCount, type Tensor } from './tensor.js';
import { decodeValues, encodeHalf, encodeValues } from './values.js';

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
    private readonly ownArena: Arena,
    private readonly places: ReadonlyMap<number, Place>,
    private readonly inputs: ReadonlyMap<string, Tensor>,
    private readonly outputs: ReadonlyMap<string, Tensor>,
    /** What its buffers take; a shared arena's part is the temporaries. Parameters are not among them. */
    readonly memory: PlanMemory,
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
    shared: Arena | null,
  ): Promise<Plan> {
    checkBindings(engine, dispatches);
    const owned: GPUBuffer[] = [];
    const ownArena = new Arena(engine);
    const pipelines = await Promise.all(dispatches.map((dispatch) => engine.pipeline(dispatch.program)));
    try {
      return await engine.checked('Compiling a plan', () => {
        const places = new Map<number, Place>();
        for (const [id, { buffer, offset }] of persistents) places.set(id, { buffer, offset });
        for (const tensor of inputs.values()) {
          const buffer = engine.createBuffer(
            tensor.label,
            byteLength(tensor.shape, tensor.dtype, tensor.layout),
            ARENA_USAGE,
          );
          owned.push(buffer);
          places.set(tensor.id, { buffer, offset: 0 });
        }
        const slots = shareBuffers(dispatches, outputs, (id) => places.has(id));
        const buffers = (shared ?? ownArena).take(slots.map(({ bytes }) => bytes));
        slots.forEach(({ tensors }, index) => {
          for (const tensor of tensors) places.set(tensor.id, { buffer: buffers[index] as GPUBuffer, offset: 0 });
        });
        const uniforms = createUniforms(engine, dispatches, owned);
        const steps = dispatches.map((dispatch, index): Step => {
          const pipeline = pipelines[index] as GPUComputePipeline;
          const resources: GPUBindingResource[] = dispatch.bindings.map(({ tensor }) => ({
            ...(places.get(tensor.id) as Place),
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
        const memory = planMemory(engine, dispatches, inputs, outputs, slots);
        // Copies: what is put onto the builder later is not this plan's.
        return new Plan(engine, steps, owned, ownArena, places, new Map(inputs), new Map(outputs), memory);
      });
    } catch (error) {
      for (const buffer of owned) engine.destroyBuffer(buffer);
      ownArena.dispose();
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
    this.encode(pass);
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
      const from = this.places.get(tensor.id) as Place;
      encoder.copyBufferToBuffer(from.buffer, from.offset, staging, offset, bytes);
      offset += bytes;
    }
    device.queue.submit([encoder.finish()]);
    const mapped = staging.mapAsync(GPU_MAP_READ);
    mapped.catch(() => undefined);
    return () => this.collect(staging, mapped);
  }

  private encode(pass: GPUComputePassEncoder): void {
    for (const step of this.steps) {
      pass.setPipeline(step.pipeline);
      pass.setBindGroup(0, step.group);
      pass.dispatchWorkgroups(...step.workgroups);
    }
  }

  /**
   * Milliseconds that one run of the list takes on the device, without inputs and outputs: the mean over `repetitions` in one
   * submission, by the device's own clock where it has one.
   */
  async time(repetitions: number): Promise<number> {
    this.engine.assertAlive();
    return timePass(this.engine, (pass) => {
      for (let repetition = 0; repetition < repetitions; repetition++) this.encode(pass);
    }).then((milliseconds) => milliseconds / repetitions);
  }

  /** Gives every float input some numbers between -1 and 1, for measurements: arithmetic on zeros may be faster. */
  fillInputs(): void {
    for (const [name, tensor] of this.inputs) {
      const count = elementCount(tensor.shape);
      if (tensor.dtype === 'f32' || tensor.dtype === 'f16') this.writeInput(name, someValues(count));
    }
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
      result[name] = decodeValues(raw, offset, tensor);
      offset += byteLength(tensor.shape, tensor.dtype, tensor.layout);
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
    // float16 inputs are given as float32, or as their bits.
    const isHalf = tensor.dtype === 'f16' && value instanceof Uint16Array;
    const given = tensor.dtype === 'f16' && !isHalf ? 'f32' : tensor.dtype;
    const expected = elementCount(tensor.shape) * BYTES_PER_ELEMENT[given];
    if (value.byteLength !== expected) {
      throw new EngineError(
        'INVALID_SHAPE',
        `Input ${name} is ${given} [${tensor.shape.join(', ')}]: ${expected} bytes expected, ${value.byteLength} given.`,
      );
    }
    let data = value;
    if (isHalf) data = encodeHalf(value, tensor);
    else if (given === 'f32') {
      data = encodeValues(new Float32Array(value.buffer, value.byteOffset, value.byteLength / 4), tensor);
    } else if (value.byteLength % 4 !== 0) {
      const padded = new Uint8Array(alignTo(value.byteLength, 4));
      padded.set(new Uint8Array(value.buffer, value.byteOffset, value.byteLength));
      data = padded;
    }
    const to = this.places.get(tensor.id) as Place;
    this.engine.device.queue.writeBuffer(
      to.buffer,
      to.offset,
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
    this.ownArena.dispose();
    this.staging.length = 0;
  }
}

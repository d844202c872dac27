import { type AdapterDescription, describeAdapter } from './adapter.js';
import { EngineError } from './errors.js';
import { byteLength, checkShape, type DType, elementCount, type LayoutKind, type Shape } from './tensor.js';
import type { Tuner } from './tuner.js';
import { decodeValues, encodeValues } from './values.js';
import { VariantChoices } from './variants.js';

/**
 * Which structure of kernel suits the adapter: `subgroup8` for software adapters whose subgroups are always 8 wide (one
 * subgroup is one SIMD vector of a CPU core), `workgroup` for GPUs (tiles shared in workgroup memory).
 */
export type KernelFamily = 'subgroup8' | 'workgroup';

export interface EngineOptions {
  /**
   * Gives the thread away for a moment while the GPU works (Node: a short sleep); `turn` counts from 0 in each wait. Absent:
   * only promises are awaited.
   */
  readonly pause?: (turn: number) => Promise<void>;
  /** Cores that a software adapter computes on; 4 without. */
  readonly cores?: number;
  /** Forces a kernel family, e.g. to test the GPU's variants on a software adapter. */
  readonly kernelFamily?: KernelFamily;
}

/** A compute shader with its override constants. Equal code and constants share one pipeline. */
export interface Program {
  readonly label: string;
  readonly code: string;
  /** WGSL extensions that the code needs; it has no `enable` directives of its own. */
  readonly enables?: readonly ('subgroups' | 'f16')[];
  readonly constants?: Readonly<Record<string, number>>;
}

/** A named place in GPU memory that outlives plans: parameters, running statistics, optimiser state, cached features. */
export interface DeviceTensor {
  readonly label: string;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly layout: LayoutKind;
  readonly buffer: GPUBuffer;
  /** Where in the buffer it begins, in bytes; a multiple of the adapter's binding alignment. 0 where it has the buffer to itself. */
  readonly offset: number;
}

const OPTIONAL_FEATURES = ['subgroups', 'shader-f16', 'timestamp-query'] as const;
const RAISED_LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupSizeX',
  'maxComputeWorkgroupSizeY',
  'maxComputeWorkgroupStorageSize',
] as const;

/** One GPU device with its programs and persistent tensors. */
export class Engine {
  readonly lost: Promise<EngineError>;
  /** Cores that a software adapter computes on. */
  readonly cores: number;
  readonly kernelFamily: KernelFamily;
  /** Which kernels compute what on this device. */
  readonly variants = new VariantChoices();
  /** Measures which kernels are fastest before plans are compiled; null keeps the defaults. */
  tuner: Tuner | null = null;
  private readonly pipelines = new Map<string, Promise<GPUComputePipeline>>();
  private lostError: EngineError | null = null;
  private buffers = 0;
  private bytes = 0;

  private constructor(
    readonly device: GPUDevice,
    readonly adapter: AdapterDescription,
    private readonly options: EngineOptions,
  ) {
    const eightWide = adapter.subgroupMinSize === 8 && adapter.subgroupMaxSize === 8;
    const canUseSubgroups = device.features.has('subgroups') && eightWide && adapter.isSoftware;
    if (options.kernelFamily === 'subgroup8' && !canUseSubgroups) {
      throw new EngineError(
        'INVALID_ARGUMENT',
        'The kernel family subgroup8 needs a software adapter with subgroups of exactly 8.',
      );
    }
    this.cores = Math.max(1, options.cores ?? 4);
    this.kernelFamily = options.kernelFamily ?? (canUseSubgroups ? 'subgroup8' : 'workgroup');
    this.lost = device.lost.then((info) => {
      this.lostError = new EngineError('DEVICE_LOST', `The GPU device was lost (${info.reason}): ${info.message}`);
      return this.lostError;
    });
  }

  /** Opens the best adapter of `gpu`. Throws `NO_ADAPTER` where none answers. */
  static async open(gpu: GPU, options: EngineOptions = {}): Promise<Engine> {
    const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
    if (!adapter) {
      throw new EngineError(
        'NO_ADAPTER',
        'No WebGPU adapter answers. Install a GPU driver, or run `npm run setup` for the software driver.',
      );
    }
    const requiredFeatures = OPTIONAL_FEATURES.filter((feature) => adapter.features.has(feature));
    const limits: Record<string, number> = {};
    for (const name of RAISED_LIMITS) limits[name] = adapter.limits[name];
    const device = await adapter.requestDevice({ requiredFeatures, requiredLimits: limits });
    return new Engine(device, describeAdapter(adapter), options);
  }

  /** Number and size of the buffers that are alive. */
  get memory(): { readonly buffers: number; readonly bytes: number } {
    return { buffers: this.buffers, bytes: this.bytes };
  }

  /** Throws `DEVICE_LOST` once the device is gone. */
  assertAlive(): void {
    if (this.lostError) throw this.lostError;
  }

  createBuffer(label: string, bytes: number, usage: number): GPUBuffer {
    this.assertAlive();
    const largest = this.device.limits.maxBufferSize;
    if (bytes > largest) {
      throw new EngineError(
        'LIMIT_EXCEEDED',
        `${label} needs ${bytes} bytes in one buffer; this adapter allows ${largest}.`,
      );
    }
    const buffer = this.device.createBuffer({ label, size: bytes, usage });
    this.buffers++;
    this.bytes += bytes;
    return buffer;
  }

  destroyBuffer(buffer: GPUBuffer): void {
    this.buffers--;
    this.bytes -= buffer.size;
    buffer.destroy();
  }

  /** Runs `allocate` and turns a failed allocation into `OUT_OF_MEMORY`, a rejected call into `INVALID_ARGUMENT`. */
  async checked<T>(what: string, allocate: () => T | Promise<T>): Promise<T> {
    this.device.pushErrorScope('out-of-memory');
    this.device.pushErrorScope('validation');
    let failed = true;
    try {
      const result = await allocate();
      failed = false;
      return result;
    } finally {
      // Both at once: another call's scopes could come between the two.
      const scopes = [this.device.popErrorScope(), this.device.popErrorScope()];
      const [validation, memory] = await Promise.all(scopes);
      if (!failed) {
        this.assertAlive();
        if (memory)
          throw new EngineError(
            'OUT_OF_MEMORY',
            `${what}: the GPU is out of memory. Use a smaller batch. ${memory.message}`,
          );
        if (validation) throw new EngineError('INVALID_ARGUMENT', `${what}: ${validation.message}`);
      }
    }
  }

  pipeline(program: Program): Promise<GPUComputePipeline> {
    const key = `${program.code}\u0000${JSON.stringify(program.constants ?? {})}`;
    let pipeline = this.pipelines.get(key);
    if (!pipeline) {
      pipeline = this.createPipeline(program);
      this.pipelines.set(key, pipeline);
      pipeline.catch(() => this.pipelines.delete(key));
    }
    return pipeline;
  }

  private async createPipeline(program: Program): Promise<GPUComputePipeline> {
    const module = this.device.createShaderModule({ label: program.label, code: program.code });
    try {
      return await this.device.createComputePipelineAsync({
        label: program.label,
        layout: 'auto',
        compute: { module, entryPoint: 'main', constants: program.constants },
      });
    } catch (cause) {
      this.assertAlive();
      const { messages } = await module.getCompilationInfo();
      const details = messages.map((message) => `${message.lineNum}:${message.linePos} ${message.message}`).join('; ');
      throw new EngineError(
        'PIPELINE_FAILED',
        `The program ${program.label} does not compile: ${details || String(cause)}`,
        { cause },
      );
    }
  }

  /** A persistent tensor of zeros. */
  createTensor(label: string, shape: Shape, options: { dtype?: DType; layout?: LayoutKind } = {}): DeviceTensor {
    checkShape(shape, label);
    const { dtype = 'f32', layout = 'dense' } = options;
    const buffer = this.createBuffer(
      label,
      byteLength(shape, dtype, layout),
      GPU_BUFFER_USAGE.STORAGE | GPU_BUFFER_USAGE.COPY_DST | GPU_BUFFER_USAGE.COPY_SRC,
    );
    return { label, shape, dtype, layout, buffer, offset: 0 };
  }

  /** A persistent float tensor with `values` in logical row-major order. */
  upload(
    label: string,
    shape: Shape,
    values: Float32Array,
    options: { dtype?: 'f32' | 'f16'; layout?: LayoutKind } = {},
  ): DeviceTensor {
    const tensor = this.createTensor(label, shape, options);
    this.write(tensor, values);
    return tensor;
  }

  /** Overwrites a float tensor with `values` in logical row-major order, rounded to what it stores. */
  write(tensor: DeviceTensor, values: Float32Array): void {
    const expected = elementCount(tensor.shape);
    if (values.length !== expected) {
      throw new EngineError(
        'INVALID_SHAPE',
        `${tensor.label} is [${tensor.shape.join(', ')}]: ${expected} values expected, ${values.length} given.`,
      );
    }
    this.device.queue.writeBuffer(tensor.buffer, tensor.offset, encodeValues(values, tensor));
  }

  /** Overwrites bytes of a tensor's buffer, as they are stored; `from` and their number are multiples of 4. */
  writeBytes(tensor: DeviceTensor, from: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.device.queue.writeBuffer(tensor.buffer, tensor.offset + from, bytes);
  }

  /** Reads a float tensor back in logical row-major order. */
  async read(tensor: DeviceTensor): Promise<Float32Array<ArrayBuffer>> {
    const bytes = byteLength(tensor.shape, tensor.dtype, tensor.layout);
    return decodeValues(await this.readBuffer(tensor.buffer, tensor.offset, bytes), 0, tensor);
  }

  /** Fills a tensor with zeros. */
  clear({ buffer, offset, shape, dtype, layout }: DeviceTensor): void {
    const encoder = this.device.createCommandEncoder();
    encoder.clearBuffer(buffer, offset, byteLength(shape, dtype, layout));
    this.device.queue.submit([encoder.finish()]);
  }

  destroyTensor(tensor: DeviceTensor): void {
    this.destroyBuffer(tensor.buffer);
  }

  private async readBuffer(buffer: GPUBuffer, offset: number, bytes: number): Promise<ArrayBuffer> {
    const staging = this.createBuffer('readback', bytes, GPU_BUFFER_USAGE.MAP_READ | GPU_BUFFER_USAGE.COPY_DST);
    try {
      const encoder = this.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, offset, staging, 0, bytes);
      this.device.queue.submit([encoder.finish()]);
      await this.settle(staging.mapAsync(GPU_MAP_READ));
      return staging.getMappedRange().slice(0);
    } finally {
      this.destroyBuffer(staging);
    }
  }

  /** Waits until everything submitted so far is done. */
  async idle(): Promise<void> {
    await this.settle(this.device.queue.onSubmittedWorkDone());
  }

  /**
   * Awaits a promise of the GPU. Dawn's Node binding spins while a promise is pending and takes a core away from a software
   * driver; pausing between looks leaves the core to it.
   */
  async settle<T>(promise: Promise<T>): Promise<T> {
    const { pause } = this.options;
    if (pause) {
      let pending = true;
      const done = () => {
        pending = false;
      };
      promise.then(done, done);
      // One that is settled already is not worth a pause.
      await Promise.resolve();
      for (let turn = 0; pending; turn++) await pause(turn);
    }
    try {
      return await promise;
    } catch (cause) {
      this.assertAlive();
      throw cause;
    }
  }

  destroy(): void {
    this.device.destroy();
  }
}

/** WebGPU's constants (spec sections 5.1.2 and 5.3): their globals exist in browsers only. */
export const GPU_BUFFER_USAGE = {
  MAP_READ: 0x1,
  COPY_SRC: 0x4,
  COPY_DST: 0x8,
  QUERY_RESOLVE: 0x200,
  UNIFORM: 0x40,
  STORAGE: 0x80,
} as const;
export const GPU_MAP_READ = 0x1;

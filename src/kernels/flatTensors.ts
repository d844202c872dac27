import type { DeviceTensor, Engine } from './engine.js';
import { EngineError } from './errors.js';
import { alignTo, BYTES_PER_ELEMENT, elementCount, type Shape } from './tensor.js';

/** Elements of a block. Every tensor begins with one, so that a workgroup works for one tensor, and bindings are aligned. */
export const BLOCK = 256;

export interface FlatEntry {
  readonly name: string;
  readonly shape: Shape;
  /** Which chunk holds it. */
  readonly chunk: number;
  /** First element within the chunk; a multiple of `BLOCK`. */
  readonly begin: number;
}

/** How many named dense tensors lie behind each other in few buffers, so that one dispatch can work on all of them. */
export class FlatLayout {
  readonly entries: readonly FlatEntry[];
  /** Elements of each chunk, all of them multiples of `BLOCK`. */
  readonly chunks: readonly number[];

  /** No chunk is larger than what the engine can bind at once. Throws `LIMIT_EXCEEDED` where a tensor alone is. */
  constructor(engine: Engine, tensors: readonly { readonly name: string; readonly shape: Shape }[]) {
    const largest = engine.device.limits.maxStorageBufferBindingSize / BYTES_PER_ELEMENT.f32;
    const entries: FlatEntry[] = [];
    const chunks: number[] = [];
    for (const { name, shape } of tensors) {
      const elements = alignTo(elementCount(shape), BLOCK);
      if (elements > largest) {
        throw new EngineError(
          'LIMIT_EXCEEDED',
          `${name} [${shape.join(', ')}] has ${elements} elements; this adapter binds at most ${largest} at once. It cannot train there; freeze its layer, or leave it out.`,
        );
      }
      const last = chunks.at(-1);
      if (last === undefined || last + elements > largest) chunks.push(0);
      const chunk = chunks.length - 1;
      const begin = chunks[chunk] as number;
      entries.push({ name, shape, chunk, begin });
      chunks[chunk] = begin + elements;
    }
    this.entries = entries;
    this.chunks = chunks;
  }
}

/** Storage for the tensors of a layout, zeros at first. The padding behind a tensor holds unspecified values. */
export class FlatTensors {
  /** Dense vectors, each over all tensors of a chunk. */
  readonly chunks: readonly DeviceTensor[];
  private readonly slices: ReadonlyMap<string, DeviceTensor>;

  constructor(
    private readonly engine: Engine,
    label: string,
    layout: FlatLayout,
    dtype: 'f32' | 'f16' = 'f32',
  ) {
    this.chunks = layout.chunks.map((elements, index) =>
      engine.createTensor(`${label} ${index}`, [elements], { dtype }),
    );
    this.slices = new Map(
      layout.entries.map(({ name, shape, chunk, begin }) => {
        const { buffer } = this.chunks[chunk] as DeviceTensor;
        const offset = begin * BYTES_PER_ELEMENT[dtype];
        return [name, { label: name, shape, dtype, layout: 'dense', buffer, offset }];
      }),
    );
  }

  /** One tensor, as part of its chunk's buffer. */
  get(name: string): DeviceTensor | undefined {
    return this.slices.get(name);
  }

  dispose(): void {
    for (const chunk of this.chunks) this.engine.destroyTensor(chunk);
  }
}

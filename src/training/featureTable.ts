import type { DeviceTensor, Engine } from '../kernels/engine.js';
import { EngineError } from '../kernels/errors.js';
import { gatherRecords } from '../kernels/ops/gatherRecords/gatherRecords.js';
import type { PlanBuilder } from '../kernels/planBuilder.js';
import type { Tensor } from '../kernels/tensor.js';
import type { HeadSource } from './headInputs.js';
import type { RecordLayout } from './recordLayout.js';

/** Plan input with the rows of a batch's pictures. */
const ROWS = 'feature rows';
/** Records go to the device in pieces of about this size. */
const UPLOAD_BYTES = 2 ** 22;

/** The features of a whole data set on the device. A step uploads only which of them it reads. */
export class FeatureTable implements HeadSource {
  private readonly rows = new Map<string, number>();
  private readonly staged: Uint8Array<ArrayBuffer>;
  /** Rows that are on the device; those after them are staged. */
  private uploaded = 0;

  private constructor(
    private readonly engine: Engine,
    private readonly layout: RecordLayout,
    private readonly table: DeviceTensor,
  ) {
    this.staged = new Uint8Array(Math.max(1, Math.floor(UPLOAD_BYTES / layout.bytes)) * layout.bytes);
  }

  /** Null where `capacity` pictures take more than `budgetBytes`, or than the device has or can bind. */
  static async create(
    engine: Engine,
    layout: RecordLayout,
    capacity: number,
    budgetBytes: number,
  ): Promise<FeatureTable | null> {
    const { maxStorageBufferBindingSize, maxBufferSize } = engine.device.limits;
    const bytes = capacity * layout.bytes;
    if (capacity === 0 || bytes > Math.min(budgetBytes, maxStorageBufferBindingSize, maxBufferSize)) return null;
    try {
      const table = await engine.checked('Keeping features on the device', () =>
        engine.createTensor('features', [capacity, layout.elements], { dtype: layout.dtype }),
      );
      return new FeatureTable(engine, layout, table);
    } catch (error) {
      if (error instanceof EngineError && error.code === 'OUT_OF_MEMORY') return null;
      throw error;
    }
  }

  has(hash: string): boolean {
    return this.rows.has(hash);
  }

  /** The record is copied. `flush` has to follow the last one. */
  add(hash: string, record: Uint8Array): void {
    const row = this.rows.size;
    const at = (row - this.uploaded) * this.layout.bytes;
    this.staged.set(record, at);
    this.rows.set(hash, row);
    if (at + this.layout.bytes === this.staged.length) this.flush();
  }

  flush(): void {
    const count = this.rows.size - this.uploaded;
    if (count === 0) return;
    const bytes = this.staged.subarray(0, count * this.layout.bytes);
    this.engine.writeBytes(this.table, this.uploaded * this.layout.bytes, bytes);
    this.uploaded += count;
  }

  /** Puts the features of `size` pictures onto a plan, by layer; `inputs` gives the plan's inputs. */
  addInputs(b: PlanBuilder, size: number): Map<string, Tensor> {
    const rows = b.input(ROWS, [size], { dtype: 'u32', layout: 'dense' });
    const table = b.persistent(this.table);
    return new Map(this.layout.fields.map((field) => [field.name, gatherRecords(b, table, rows, field)]));
  }

  /** All of `hashes` must be here. */
  inputs(hashes: readonly string[]): Record<string, Uint32Array> {
    return { [ROWS]: Uint32Array.from(hashes, (hash) => this.rows.get(hash) as number) };
  }

  dispose(): void {
    this.engine.destroyTensor(this.table);
    this.rows.clear();
  }
}

import { f32, type Grid, linearGrid, MAX_GROUPS, read, readWrite } from '../../dispatch.js';
import type { DeviceTensor, Engine } from '../../engine.js';
import { EngineError } from '../../errors.js';
import { BLOCK, FlatLayout, FlatTensors } from '../../flatTensors.js';
import type { PlanBuilder } from '../../planBuilder.js';
import { elementCount, type Shape, type Tensor } from '../../tensor.js';
import { castInto } from '../cast/cast.js';
import { reductionLanes } from '../sumRows/sumRows.js';
import accumulateSource from './accumulateGradients.wgsl.js';
import adamSource from './adam.wgsl.js';
import beginSource from './beginUpdate.wgsl.js';
import descentSource from './gradientDescent.wgsl.js';
import squaresSource from './gradientSquares.wgsl.js';
import sgdSource from './sgd.wgsl.js';

/** torch.optim.SGD, dampening 0. */
export interface Sgd {
  readonly kind: 'sgd';
  /** 0 needs no state. */
  readonly momentum: number;
  readonly nesterov: boolean;
}
/** Adam (Kingma and Ba 2015) adds weight decay to the gradient, AdamW (Loshchilov and Hutter 2019) takes it off the weight. */
export interface Adam {
  readonly kind: 'adam' | 'adamw';
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
}

export interface OptimizerOptions {
  readonly rule: Sgd | Adam;
  /** Largest norm of all gradients together (torch.nn.utils.clip_grad_norm_); null does not clip. */
  readonly clipNorm: number | null;
  /**
   * For float16: the loss is multiplied by `lossScale` before the backward pass, updates with gradients that are not finite
   * are skipped, and the scale adapts. The copies of the parameters in float16 are kept as well.
   */
  readonly mixedPrecision: boolean;
  /** Keeps a second set of gradients, in which those of several passes are added up. */
  readonly accumulates: boolean;
}

export interface OptimizedParameter {
  readonly name: string;
  readonly shape: Shape;
  readonly learningRateFactor: number;
  readonly weightDecay: number;
}

const INITIAL_LOSS_SCALE = 2 ** 16;
/** Updates without overflow after which the loss scale doubles. */
const GROWTH_INTERVAL = 2000;
/** Partial sums of squares of a chunk: enough to fill a GPU, few enough to be summed by one invocation. */
const MAX_PARTIALS = 256;

/**
 * Parameters with their gradients and the optimiser's state, each kind in few buffers, so that one update of all parameters
 * takes one dispatch (two with a norm) for each chunk, however many parameters there are.
 */
export class Optimizer {
  readonly values: FlatTensors;
  /** float16 copies of the values, as `addCasts` left them; null without mixed precision. */
  readonly halves: FlatTensors | null;
  /** Multiplies the loss, dense [1]; null without mixed precision. The seed of the backward pass. */
  readonly lossScale: DeviceTensor | null;
  private readonly layout: FlatLayout;
  private readonly gradients: FlatTensors;
  private readonly totals: FlatTensors | null;
  private readonly state: readonly FlatTensors[];
  private readonly tables: readonly DeviceTensor[];
  private readonly control: DeviceTensor;

  constructor(
    private readonly engine: Engine,
    parameters: readonly OptimizedParameter[],
    private readonly options: OptimizerOptions,
  ) {
    const { rule, mixedPrecision, accumulates } = options;
    this.layout = new FlatLayout(engine, parameters);
    const flat = (label: string, dtype: 'f32' | 'f16' = 'f32') => new FlatTensors(engine, label, this.layout, dtype);
    this.values = flat('parameters');
    this.halves = mixedPrecision ? flat('parameters in float16', 'f16') : null;
    this.gradients = flat('gradients');
    this.totals = accumulates ? flat('accumulated gradients') : null;
    const states = rule.kind === 'sgd' ? (rule.momentum > 0 ? ['velocity'] : []) : ['first moments', 'second moments'];
    this.state = states.map((label) => flat(label));
    this.tables = this.createTables(parameters);
    this.control = engine.createTensor('control', [8]);
    this.lossScale = mixedPrecision ? engine.createTensor('loss scale', [1]) : null;
  }

  /** Per block: (learning-rate factor, weight decay, elements that count, 0). */
  private createTables(parameters: readonly OptimizedParameter[]): DeviceTensor[] {
    const byName = new Map(parameters.map((parameter) => [parameter.name, parameter]));
    const tables = this.layout.chunks.map((elements) => new Float32Array((elements / BLOCK) * 4));
    for (const { name, shape, chunk, begin } of this.layout.entries) {
      const { learningRateFactor, weightDecay } = byName.get(name) as OptimizedParameter;
      const count = elementCount(shape);
      for (let done = 0; done < count; done += BLOCK) {
        const entry = [learningRateFactor, weightDecay, Math.min(BLOCK, count - done), 0];
        tables[chunk]?.set(entry, ((begin + done) / BLOCK) * 4);
      }
    }
    return tables.map((table, index) => this.engine.upload(`blocks ${index}`, [table.length / 4, 4], table));
  }

  /** Sets the parameters to `values` and everything else to where an optimisation begins. Call it before the first update. */
  reset(values: ReadonlyMap<string, Float32Array>): void {
    for (const [name, data] of values) {
      const slice = this.values.get(name);
      if (!slice) throw new EngineError('INVALID_ARGUMENT', `The optimizer has no parameter ${name}.`);
      this.engine.write(slice, data);
    }
    for (const tensors of [this.gradients, this.totals, ...this.state]) {
      for (const chunk of tensors?.chunks ?? []) this.engine.clear(chunk);
    }
    this.engine.write(this.control, Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0));
    if (this.lossScale) this.engine.write(this.lossScale, Float32Array.of(INITIAL_LOSS_SCALE));
  }

  /** What the next update depends on, by name. */
  private memory(): Map<string, DeviceTensor> {
    const memory = new Map([['control', this.control]]);
    if (this.lossScale) memory.set('loss scale', this.lossScale);
    for (const tensors of [this.values, ...this.state]) {
      for (const chunk of tensors.chunks) memory.set(chunk.label, chunk);
    }
    return memory;
  }

  /** Parameters and state as they are now, by name; `restore` brings them back, to the bit. */
  async save(): Promise<Map<string, Float32Array<ArrayBuffer>>> {
    const saved = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [name, tensor] of this.memory()) saved.set(name, await this.engine.read(tensor));
    return saved;
  }

  /** `saved` gives what was saved, and has to have the length asked for. Call it between two updates. */
  restore(saved: (name: string, length: number) => Float32Array): void {
    for (const [name, tensor] of this.memory()) this.engine.write(tensor, saved(name, elementCount(tensor.shape)));
  }

  /** Skipped updates so far. */
  async skippedUpdates(): Promise<number> {
    const control = await this.engine.read(this.control);
    return control[5] as number;
  }

  /** Brings the float16 copies up to date: put it in front of every plan that reads them. */
  addCasts(b: PlanBuilder): void {
    this.halves?.chunks.forEach((half, index) => {
      castInto(b, b.persistent(this.values.chunks[index] as DeviceTensor), b.persistent(half));
    });
  }

  /**
   * Takes the gradients of one backward pass, by parameter. Those that are computed for this purpose alone are computed in
   * place. A parameter without a gradient keeps its last one, zeros at first.
   */
  addGradients(b: PlanBuilder, gradients: ReadonlyMap<string, Tensor>): void {
    for (const [name, gradient] of gradients) {
      const slice = this.gradients.get(name);
      if (!slice) throw new EngineError('INVALID_ARGUMENT', `The optimizer has no parameter ${name}.`);
      b.storeIn(gradient, slice);
    }
  }

  /** Adds the gradients to those of the batch's other parts; `isFirst` (dense u32 [1]) is 1 for the first of them. */
  addAccumulation(b: PlanBuilder, isFirst: Tensor): void {
    const { totals } = this;
    if (!totals) throw new EngineError('INVALID_ARGUMENT', 'The optimizer was made without `accumulates`.');
    totals.chunks.forEach((total, index) => {
      const quads = elementCount(total.shape) / 4;
      b.dispatch({
        label: 'accumulate gradients',
        program: { label: 'accumulate gradients', code: accumulateSource },
        bindings: [
          readWrite(b.persistent(total)),
          read(b.persistent(this.gradients.chunks[index] as DeviceTensor)),
          read(isFirst),
        ],
        uniforms: [quads],
        workgroups: linearGrid(quads),
      });
    });
  }

  /**
   * Updates all parameters in place from the gradients, or from the accumulated ones where there are any. `learningRate` is
   * dense [1].
   */
  addUpdate(b: PlanBuilder, learningRate: Tensor): void {
    const source = this.totals ?? this.gradients;
    const control = b.persistent(this.control);
    this.addDecision(b, source, control);
    this.layout.chunks.forEach((elements, index) => {
      const blocks = elements / BLOCK;
      const chunk = (tensors: FlatTensors) => b.persistent(tensors.chunks[index] as DeviceTensor);
      const { program, uniforms } = this.rule();
      b.dispatch({
        label: `${program.label} update`,
        program,
        bindings: [
          readWrite(chunk(this.values)),
          ...this.state.map((state) => readWrite(chunk(state))),
          read(chunk(source)),
          read(b.persistent(this.tables[index] as DeviceTensor)),
          read(learningRate),
          read(control),
        ],
        uniforms: [blocks, ...uniforms],
        workgroups: blockGrid(blocks),
      });
    });
  }

  private rule() {
    const { rule } = this.options;
    if (rule.kind !== 'sgd') {
      const { beta1, beta2, epsilon, kind } = rule;
      return {
        program: { label: kind, code: adamSource },
        uniforms: [kind === 'adamw' ? 1 : 0, f32(beta1), f32(beta2), f32(epsilon)],
      };
    }
    if (rule.momentum === 0) return { program: { label: 'gradient descent', code: descentSource }, uniforms: [] };
    return { program: { label: 'sgd', code: sgdSource }, uniforms: [rule.nesterov ? 1 : 0, f32(rule.momentum)] };
  }

  /** Norm and finiteness of all gradients, where they are asked for; then `control` for this update. */
  private addDecision(b: PlanBuilder, source: FlatTensors, control: Tensor): void {
    const { rule, clipNorm } = this.options;
    const sums = clipNorm !== null || this.lossScale !== null;
    // Nothing to decide on: the control stays as `reset` left it.
    if (rule.kind === 'sgd' && !sums) return;
    const groups = this.layout.chunks.map((elements) => Math.min(MAX_PARTIALS, elements / BLOCK));
    const partialCount = sums ? groups.reduce((sum, count) => sum + count, 0) : 0;
    const partials = b.temporary('sums of squares', [Math.max(1, partialCount)], { layout: 'dense' });
    let first = 0;
    if (sums) {
      groups.forEach((wanted, index) => {
        const blocks = (this.layout.chunks[index] as number) / BLOCK;
        const blocksPerGroup = Math.ceil(blocks / wanted);
        const count = Math.ceil(blocks / blocksPerGroup);
        b.dispatch({
          label: 'squares of gradients',
          program: { label: 'squares of gradients', code: squaresSource, constants: reductionLanes(b) },
          bindings: [
            read(b.persistent(source.chunks[index] as DeviceTensor)),
            read(b.persistent(this.tables[index] as DeviceTensor)),
            readWrite(partials),
          ],
          uniforms: [blocks, blocksPerGroup, first],
          workgroups: [count, 1, 1],
        });
        first += count;
      });
    }
    const adam = rule.kind === 'sgd' ? { beta1: 0, beta2: 0 } : rule;
    const scale = this.lossScale;
    b.dispatch({
      label: 'begin update',
      program: { label: 'begin update', code: beginSource },
      // Without loss scaling its binding still needs some tensor; the flag keeps it from being read.
      bindings: [readWrite(partials), readWrite(control), readWrite(scale ? b.persistent(scale) : this.unusedScale(b))],
      uniforms: [
        first,
        clipNorm === null ? 0 : 1,
        scale ? 1 : 0,
        GROWTH_INTERVAL,
        f32(clipNorm ?? 0),
        f32(adam.beta1),
        f32(adam.beta2),
      ],
      workgroups: [1, 1, 1],
    });
  }

  private unusedScale(b: PlanBuilder): Tensor {
    return b.temporary('no loss scale', [1], { layout: 'dense' });
  }

  dispose(): void {
    for (const tensors of [this.values, this.halves, this.gradients, this.totals, ...this.state]) tensors?.dispose();
    for (const tensor of [...this.tables, this.control]) this.engine.destroyTensor(tensor);
    if (this.lossScale) this.engine.destroyTensor(this.lossScale);
  }
}

/** One workgroup for each block. */
function blockGrid(blocks: number): Grid {
  const y = Math.ceil(blocks / MAX_GROUPS);
  return [Math.ceil(blocks / y), y, 1];
}

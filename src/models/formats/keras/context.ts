import { type Constant, notMapped, Target, type Value } from '../tensorflow/value.js';
import type { ImportBuilder, ImportOptions } from '../importBuilder.js';
import { activate, type Dialect } from './activations.js';
import { Attributes } from './attributes.js';
import { fail, show } from './json.js';
import type { KerasLayer } from './topology.js';

/** Finds weights of layers. `position` is the weight's place among the layer's own, in Keras's order. */
export interface WeightSource {
  find(layer: KerasLayer, name: string, position: number): Constant | undefined;
}

/** An operand of a layer: a value, or a constant from the file. */
export type KerasOperand = { readonly value: Value } | { readonly constant: unknown };

/** What the converter of one layer works with. */
export class Context extends Target {
  readonly attributes: Attributes;

  constructor(
    builder: ImportBuilder,
    readonly layer: KerasLayer,
    readonly operands: readonly KerasOperand[],
    readonly named: ReadonlyMap<string, KerasOperand>,
    private readonly source: WeightSource,
    readonly dialect: Dialect,
    readonly options: ImportOptions,
  ) {
    super(builder, layer.id);
    this.attributes = new Attributes(layer.id, layer.config);
  }

  get values(): readonly Value[] {
    return this.operands.flatMap((operand) => ('value' in operand ? [operand.value] : []));
  }

  /** The only input. Throws INVALID_FILE where there are more or none. */
  get input(): Value {
    const { values } = this;
    return values.length === 1 ? (values[0] as Value) : fail(`${this.name} has ${values.length} inputs; it takes 1.`);
  }

  /** All weights of the layer, in Keras's order; null shapes mean that the layer has none there. Throws INVALID_FILE. */
  weights<const W extends readonly (readonly [name: string, shape: readonly number[] | null])[]>(
    ...wanted: W
  ): { [I in keyof W]: W[I][1] extends null ? null : Constant | null } {
    if (this.layer.uses > 1) notMapped(`it is used ${this.layer.uses} times, each time with the same weights`);
    let position = 0;
    const found = wanted.map(([name, shape]) => {
      if (shape === null) return null;
      const weight = this.source.find(this.layer, name, position++);
      if (!weight) return fail(`the weight ${this.name}/${name} is missing.`);
      if (weight.shape.join() !== shape.join()) {
        fail(`${this.name}/${name} must be [${shape.join(', ')}]; the file has [${weight.shape.join(', ')}].`);
      }
      return weight;
    });
    return found as { [I in keyof W]: W[I][1] extends null ? null : Constant | null };
  }

  /** Appends the layer's own activation, if it has one. */
  activated(value: Value): Value {
    const { activation = 'linear' } = this.layer.config;
    const suffix = typeof activation === 'string' ? activation : 'activation';
    return activate(this, value, activation, this.dialect, `${this.name}_${suffix}`);
  }

  /** Throws NotMapped unless axis `key` is the last. */
  requireLastAxis(key: string, rank: number): void {
    const value = this.layer.config[key] ?? -1;
    const axis: unknown = Array.isArray(value) && value.length === 1 ? value[0] : value;
    if (axis !== -1 && axis !== rank - 1) notMapped(`${key} = ${show(value)}`);
  }
}

import type { ValueType } from '../../layers/input.js';

/** A value that is known when the file is read. NaN in integer data stands for the size of the batch. */
export interface Constant {
  readonly kind: 'constant';
  readonly name: string;
  readonly type: ValueType;
  readonly shape: readonly number[];
  /** Wide integers and float64 in float64, all else in float32. */
  readonly data: Float32Array | Float64Array;
  /** Whether it stands as it is in the file's initializers: what training may change. */
  readonly isWeight?: boolean;
}

/** The output of a layer. */
export interface LayerValue {
  readonly kind: 'layer';
  readonly layer: string;
  readonly type: ValueType;
  /** Its values, where they follow from what the caller gave for the inputs. */
  readonly known?: Constant;
}

/** What a name of an ONNX graph stands for; null where it could not be imported. */
export type Value = Constant | LayerValue | null;

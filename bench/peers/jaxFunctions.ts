import { settle } from './gpu.js';
import type { PreparedPeer } from './peer.js';

/** An array of jax-js. Every use of one consumes it; `ref` is another reference for one more use. */
export interface JaxArray {
  readonly ref: JaxArray;
  readonly shape: readonly number[];
  add(other: JaxArray | number): JaxArray;
  sub(other: JaxArray | number): JaxArray;
  mul(other: JaxArray | number): JaxArray;
  reshape(shape: readonly number[]): JaxArray;
  transpose(axes?: readonly number[]): JaxArray;
  data(): Promise<Float32Array>;
  dispose(): void;
}

type Pairs = readonly (readonly [number, number])[];

/** The part of jax-js that the workloads need. */
export interface Jax {
  init(...devices: readonly string[]): Promise<readonly string[]>;
  defaultDevice(device: string): unknown;
  blockUntilReady<T>(value: T): Promise<T>;
  jit<A extends readonly JaxArray[], R>(compute: (...args: A) => R): (...args: A) => R;
  vjp<R>(compute: (...args: JaxArray[]) => R, primals: readonly JaxArray[]): [R, (cotangent: R) => JaxArray[]];
  readonly numpy: {
    array(values: Float32Array, options: { shape: readonly number[] }): JaxArray;
    matmul(a: JaxArray, b: JaxArray): JaxArray;
    mean(x: JaxArray, axes: readonly number[], options?: { keepdims: boolean }): JaxArray;
    var_(x: JaxArray, axes: readonly number[], options?: { keepdims: boolean }): JaxArray;
    sqrt(x: JaxArray): JaxArray;
    divide(a: JaxArray, b: JaxArray): JaxArray;
    max(x: JaxArray): JaxArray;
    pad(x: JaxArray, widths: Pairs, options?: { mode: string; constantValues?: number }): JaxArray;
    concatenate(xs: readonly JaxArray[], axis: number): JaxArray;
  };
  readonly nn: {
    softmax(x: JaxArray, axis: number): JaxArray;
    relu(x: JaxArray): JaxArray;
    relu6(x: JaxArray): JaxArray;
  };
  readonly lax: {
    convGeneralDilated(
      x: JaxArray,
      weight: JaxArray,
      strides: readonly number[],
      padding: Pairs,
      options: { rhsDilation?: readonly number[]; featureGroupCount: number },
    ): JaxArray;
    reduceWindow(
      x: JaxArray,
      computation: (window: JaxArray) => JaxArray,
      size: readonly number[],
      strides: readonly number[],
    ): JaxArray;
  };
}

/** A jitted function of arrays on the device, with named results. */
export function prepared(
  jax: Jax,
  compute: (...args: JaxArray[]) => Record<string, JaxArray>,
  operands: readonly JaxArray[],
): PreparedPeer {
  const compiled = jax.jit<JaxArray[], Record<string, JaxArray>>(compute);
  const call = () => compiled(...operands.map((operand) => operand.ref));
  /** Results are computed when they are waited for, not when they are made. */
  let pending: Record<string, JaxArray>[] = [];
  return {
    run() {
      pending.push(call());
    },
    async idle() {
      await settle(jax.blockUntilReady(pending));
      for (const result of pending) for (const array of Object.values(result)) array.dispose();
      pending = [];
    },
    async results() {
      const results: Record<string, Float32Array> = {};
      for (const [key, value] of Object.entries(call())) results[key] = await settle(value.data());
      return results;
    },
  };
}

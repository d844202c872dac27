import type { Program } from './engine.js';
import type { Tensor } from './tensor.js';

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

const WORKGROUP = 64;
/** Largest number of workgroups along a side (WebGPU's maxComputeWorkgroupsPerDimension). */
export const MAX_GROUPS = 65535;

/** Grid for a kernel whose index is `id.y * num_workgroups.x * workgroupSize + id.x` over `count` invocations. */
export function linearGrid(count: number, workgroupSize = WORKGROUP): Grid {
  const groups = Math.max(1, Math.ceil(count / workgroupSize));
  const y = Math.ceil(groups / MAX_GROUPS);
  return [Math.ceil(groups / y), y, 1];
}

export const read = (tensor: Tensor): Binding => ({ tensor, access: 'read' });
export const write = (tensor: Tensor): Binding => ({ tensor, access: 'write' });
export const readWrite = (tensor: Tensor): Binding => ({ tensor, access: 'readwrite' });

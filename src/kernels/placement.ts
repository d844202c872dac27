import type { Dispatch } from './dispatch.js';
import { type Engine, GPU_BUFFER_USAGE } from './engine.js';
import { EngineError } from './errors.js';
import { alignTo, byteLength, type Tensor } from './tensor.js';

/** What a shader may bind is often far less than what a buffer may hold: 128 MiB by default, and on software adapters. */
export function checkBindings(engine: Engine, dispatches: readonly Dispatch[]): void {
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

/** Where a tensor lies on the device. */
export interface Place {
  readonly buffer: GPUBuffer;
  /** Bytes from the buffer's begin. */
  readonly offset: number;
}

interface Lifetime {
  readonly tensor: Tensor;
  first: number;
  last: number;
}

/** A buffer of the arena: the temporaries that take turns in it. */
export interface Slot {
  readonly bytes: number;
  readonly tensors: readonly Tensor[];
}

/**
 * Shares buffers among the temporaries: two are in one where their lifetimes do not meet (largest first, best fit). `isPlaced`
 * tells which tensors lie elsewhere. Throws `INVALID_ARGUMENT` where a dispatch reads what nothing has written.
 */
export function shareBuffers(
  dispatches: readonly Dispatch[],
  outputs: ReadonlyMap<string, Tensor>,
  isPlaced: (id: number) => boolean,
): Slot[] {
  const lifetimes = new Map<number, Lifetime>();
  dispatches.forEach((dispatch, index) => {
    for (const { tensor, access } of dispatch.bindings) {
      if (isPlaced(tensor.id)) continue;
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
    if (isPlaced(tensor.id)) continue;
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
  return slots.map(({ bytes, tenants }) => ({ bytes, tensors: tenants.map(({ tensor }) => tensor) }));
}

/** What a plan's own buffers take, in bytes, known before any of them is made. */
export interface PlanMemory {
  readonly inputs: number;
  /** Values that live within a run, sharing buffers. */
  readonly temporaries: number;
  /** Each of these buffers. */
  readonly slots: readonly number[];
  readonly uniforms: number;
  /** Staging for one reading of the outputs; each further one that is under way takes as much again. */
  readonly readback: number;
  readonly total: number;
}

const bytesOf = ({ shape, dtype, layout }: Tensor): number => byteLength(shape, dtype, layout);

/** Adds up what the buffers of a plan will take; `slots` as `shareBuffers` found them. */
export function planMemory(
  engine: Engine,
  dispatches: readonly Dispatch[],
  inputs: ReadonlyMap<string, Tensor>,
  outputs: ReadonlyMap<string, Tensor>,
  slots: readonly Slot[],
): PlanMemory {
  const sum = (sizes: Iterable<number>) => [...sizes].reduce((total, size) => total + size, 0);
  const sizes = slots.map(({ bytes }) => bytes);
  const parts = {
    inputs: sum([...inputs.values()].map(bytesOf)),
    temporaries: sum(sizes),
    uniforms: layOutUniforms(engine, dispatches).bytes,
    readback: sum([...outputs.values()].map(bytesOf)),
  };
  return { ...parts, slots: sizes, total: sum(Object.values(parts)) };
}

function layOutUniforms(engine: Engine, dispatches: readonly Dispatch[]) {
  const alignment = engine.device.limits.minUniformBufferOffsetAlignment;
  let bytes = 0;
  const places = dispatches.map(({ uniforms }) => {
    if (!uniforms?.length) return null;
    const place = { offset: bytes, size: alignTo(uniforms.length * 4, 16) };
    bytes += alignTo(place.size, alignment);
    return place;
  });
  return { bytes, places };
}

/** All uniforms of a plan in one buffer, written once. */
export function createUniforms(
  engine: Engine,
  dispatches: readonly Dispatch[],
  owned: GPUBuffer[],
): (GPUBufferBinding | null)[] {
  const { bytes, places } = layOutUniforms(engine, dispatches);
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

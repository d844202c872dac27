import { elementCount, type Shape } from '../../src/kernels/tensor.js';

/** All indices of a shape in row-major order. */
export function indicesOf(shape: Shape): number[][] {
  return Array.from({ length: elementCount(shape) }, (_, i) => {
    let rest = i;
    return [...shape]
      .reverse()
      .map((size) => {
        const at = rest % size;
        rest = Math.floor(rest / size);
        return at;
      })
      .reverse();
  });
}

/** Position of an index in row-major order. */
export const offsetOf = (index: readonly number[], shape: Shape): number =>
  index.reduce((offset, at, axis) => offset * (shape[axis] as number) + at, 0);

/**
 * WGSL: where element i of a walk over `rank` loops lies in two buffers. A loop is (size, stride there, stride here, 0) in
 * `p.axes`, the last one the fastest; `p.from_` and `p.to` are the places of the first element. Unrolled, because a software
 * adapter reads a uniform at a constant index once for all lanes, and else lane by lane. With `sizes`, what is divided by is a
 * constant of the program, which is then one of its own for each shape: worth it where every element is divided for.
 */
export function walkSource(rank: number, sizes?: readonly number[]): string {
  const steps = Array.from({ length: rank - 1 }, (_, i) => {
    const axis = rank - 1 - i;
    const size = sizes ? `${sizes[axis]}u` : `u32(p.axes[${axis}].x)`;
    return `next = rest / ${size};
  place += i32(rest - next * ${size}) * p.axes[${axis}].yz;
  rest = next;`;
  });
  return `fn placeAt(i: u32) -> vec2i {
  var rest = i;
  var next = 0u;
  var place = vec2i(p.from_, p.to);
  ${steps.join('\n  ')}
  return place + i32(rest) * p.axes[0].yz;
}`;
}

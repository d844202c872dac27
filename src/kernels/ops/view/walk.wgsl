// Where element i of a walk over up to eight loops lies in two buffers. A loop is (size, stride there, stride here, 0), the
// last one the fastest. `p` is the kernel's own struct of parameters.
fn placeAt(i: u32) -> vec2i {
  var rest = i;
  var place = vec2i(p.from_, p.to);
  for (var axis = p.rank - 1u; axis > 0u; axis--) {
    let size = u32(p.axes[axis].x);
    let next = rest / size;
    place += i32(rest - next * size) * p.axes[axis].yz;
    rest = next;
  }
  return place + i32(rest) * p.axes[0].yz;
}

struct Parameters {
  count: u32, rank: u32, from_: i32, to: i32, reduced_count: u32, reduced_rank: u32, parts: u32, scale: f32, start: f32,
  unused0: u32, unused1: u32, unused2: u32, axes: array<vec4i, 8>, reduced: array<vec4i, 8>,
}

// Element k of the reduced range, counted from its first one.
fn reducedAt(k: u32) -> i32 {
  var rest = k;
  var at = 0;
  for (var axis = p.reduced_rank - 1u; axis > 0u; axis--) {
    let size = u32(p.reduced[axis].x);
    let next = rest / size;
    at += i32(rest - next * size) * p.reduced[axis].y;
    rest = next;
  }
  return at + i32(rest) * p.reduced[0].y;
}

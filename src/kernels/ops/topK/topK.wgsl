// places[outer, rank, inner] = k for those elements x[outer, k, inner] whose rank in their line is below `kept`.
struct Parameters { count: u32, inner: u32, size: u32, kept: u32, largest: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> places: array<u32>;
@group(0) @binding(2) var<uniform> p: Parameters;

// Keys that order as the numbers do: a total order, NaN included, so that every rank is taken once. -0 counts as 0.
fn key(value: f32) -> u32 {
  let bits = bitcast<u32>(value);
  let plain = select(bits, 0u, bits == 0x80000000u);
  let ascending = select(plain | 0x80000000u, ~plain, (plain & 0x80000000u) != 0u);
  return select(~ascending, ascending, p.largest == 1u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let line = i / p.inner;
  let outer = line / p.size;
  let own = line - outer * p.size;
  let inner = i - line * p.inner;
  let start = outer * p.size * p.inner + inner;
  let value = key(f32(x[i]));
  var rank = 0u;
  for (var k = 0u; k < p.size; k++) {
    let other = key(f32(x[start + k * p.inner]));
    rank += select(0u, 1u, other > value || (other == value && k < own));
  }
  if (rank < p.kept) {
    places[(outer * p.kept + rank) * p.inner + inner] = own;
  }
}

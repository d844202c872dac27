struct Parameters {
  count: u32, rank: u32, from_: i32, to: i32, reduced_count: u32, reduced_rank: u32, parts: u32, scale: f32, start: f32,
  unused0: u32, unused1: u32, unused2: u32, axes: array<vec4i, 8>, reduced: array<vec4i, 8>,
}

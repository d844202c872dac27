// For each group, y[group, k, m, t] = x[group, m, k, t]: a transposition that leaves the last dimension together.
struct Parameters { count: u32, rows: u32, columns: u32, taps: u32 }
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let tap = i % p.taps;
  let m = (i / p.taps) % p.rows;
  let k = (i / (p.taps * p.rows)) % p.columns;
  let group = i / (p.taps * p.rows * p.columns);
  y[i] = x[((group * p.rows + m) * p.columns + k) * p.taps + tap];
}

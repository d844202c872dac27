// Per group of one picture: its moments from those of its planes, which have equally many pixels (Chan, Golub and LeVeque 1983,
// equation 2.1): squares = sum of the planes' squares + pixels sum of (plane's mean - mean)^2.
struct Parameters { groups: u32, batch: u32, perGroup: u32, pixels: u32, epsilon: f32 }
@group(0) @binding(0) var<storage, read> planes: array<vec2f>;
// (mean, 1 / deviation).
@group(0) @binding(1) var<storage, read_write> moments: array<vec2f>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(lanes * columns)
fn main(
  @builtin(workgroup_id) workgroup: vec3u,
  @builtin(num_workgroups) workgroups: vec3u,
  @builtin(local_invocation_index) local: u32,
) {
  let at = place(workgroup, workgroups, local);
  let index = min(at.group, p.groups * p.batch - 1u);
  let first = index / p.batch * p.perGroup;
  let n = index % p.batch;
  var sum = 0.0;
  for (var c = first + at.lane; c < first + p.perGroup; c += lanes) {
    sum += planes[c * p.batch + n].x;
  }
  let mean = total(at, sum) / f32(p.perGroup);
  var squares = 0.0;
  for (var c = first + at.lane; c < first + p.perGroup; c += lanes) {
    let plane = planes[c * p.batch + n];
    let deviation = plane.x - mean;
    squares += plane.y + f32(p.pixels) * deviation * deviation;
  }
  let variance = total(at, squares) / (f32(p.perGroup) * f32(p.pixels));
  if (at.lane == 0u && at.group == index) {
    moments[index] = vec2f(mean, 1.0 / sqrt(variance + p.epsilon));
  }
}

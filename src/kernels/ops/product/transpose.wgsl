// y[group, k, m, t] = x[group, m, k, s(t)]: a transposition that leaves the last dimension together, or some of it: tap t of the
// result is tap firstTap + (t / perLine) lineStep + (t % perLine) tapStep. One invocation for each (k, m) of a group: workgroups in
// x run over m, in y over k, in z over groups.
// Constants: on software adapters a division by anything else takes as long as several loads.
override taps: u32;
override resultTaps: u32;
override firstTap: u32;
override perLine: u32;
override lineStep: u32;
override tapStep: u32;
struct Parameters { rows: u32, columns: u32 }
@group(0) @binding(0) var<storage, read> x: array<T0>;
@group(0) @binding(1) var<storage, read_write> y: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let m = id.x;
  if (m >= p.rows) {
    return;
  }
  let matrix = id.z * p.rows * p.columns;
  // More columns than workgroups along a side: the rest in turns.
  for (var k = id.y; k < p.columns; k += groups.y) {
    let inputStart = (matrix + m * p.columns + k) * taps + firstTap;
    let outputStart = (matrix + k * p.rows + m) * resultTaps;
    for (var tap = 0u; tap < resultTaps; tap++) {
      let line = tap / perLine;
      let source = inputStart + line * lineStep + (tap - line * perLine) * tapStep;
      y[outputStart + tap] = T1(f32(x[source]));
    }
  }
}

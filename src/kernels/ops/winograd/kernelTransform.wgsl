// U = G g G^T of every 3x3 kernel g: u[plane][row][column], sixteen planes (Lavin and Gray 2016, section 4.1). The kernel of (row, column)
// begins at row * rowStride + column * columnStride; flipped = 1 turns it by 180 degrees, for the gradient of the input.
struct Parameters { rows: u32, columns: u32, rowStride: u32, columnStride: u32, flipped: u32 }
@group(0) @binding(0) var<storage, read> weight: array<T0>;
@group(0) @binding(1) var<storage, read_write> u: array<T1>;
@group(0) @binding(2) var<uniform> p: Parameters;

fn tap(start: u32, index: u32) -> f32 {
  return f32(weight[start + select(index, 8u - index, p.flipped == 1u)]);
}

// One column of G g: four numbers from three.
fn spread(a: f32, b: f32, c: f32) -> vec4f {
  let sum = 0.5 * (a + c);
  return vec4f(a, sum + 0.5 * b, sum - 0.5 * b, c);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let column = id.x;
  if (column >= p.columns) {
    return;
  }
  // More rows than workgroups along a side: the rest in turns.
  for (var row = id.y; row < p.rows; row += groups.y) {
    let start = row * p.rowStride + column * p.columnStride;
    let left = spread(tap(start, 0u), tap(start, 3u), tap(start, 6u));
    let middle = spread(tap(start, 1u), tap(start, 4u), tap(start, 7u));
    let right = spread(tap(start, 2u), tap(start, 5u), tap(start, 8u));
    let to = row * p.columns + column;
    let plane = p.rows * p.columns;
    for (var i = 0u; i < 4u; i++) {
      let line = spread(left[i], middle[i], right[i]);
      for (var j = 0u; j < 4u; j++) {
        u[(i * 4u + j) * plane + to] = T1(line[j]);
      }
    }
  }
}

// Puts the pixels of up to 2 x 2 phases into one map: pixel (y, x) lies in phase ((y + top) mod stride, (x + left) mod stride), among
// that phase's pixels in reading order. A phase whose bit of `present` is not set is 0 everywhere. Workgroups in y are channels; each
// takes every so many-th line of the batch.
override lanes: u32 = 64u;
override strideY: i32 = 2;
override strideX: i32 = 2;
struct Parameters {
  lines: u32, height: i32, width: i32, resultStride: u32, top: i32, left: i32, present: u32,
  // Of each phase: rows apart, lines per picture, pixels per line.
  phases: array<vec4u, 4>,
}
@group(0) @binding(0) var<storage, read> phase0: array<T0>;
@group(0) @binding(1) var<storage, read> phase1: array<T1>;
@group(0) @binding(2) var<storage, read> phase2: array<T2>;
@group(0) @binding(3) var<storage, read> phase3: array<T3>;
@group(0) @binding(4) var<storage, read_write> result: array<T4>;
@group(0) @binding(5) var<uniform> p: Parameters;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) block: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let channel = block.y;
  for (var line = block.x; line < p.lines; line += groups.x) {
    let image = i32(line) / p.height;
    let y = i32(line) - image * p.height + p.top;
    let phaseY = y % strideY;
    // The first pixels of phases before the padding's are one stride on.
    let lineInPhase = y / strideY - p.top / strideY - select(0, 1, phaseY < p.top % strideY);
    for (var column = i32(lane); column < p.width; column += i32(lanes)) {
      let x = column + p.left;
      let phaseX = x % strideX;
      let columnInPhase = x / strideX - p.left / strideX - select(0, 1, phaseX < p.left % strideX);
      let phase = u32(phaseY * strideX + phaseX);
      let size = p.phases[phase];
      let at = channel * size.x + (u32(image) * size.y + u32(lineInPhase)) * size.z + u32(columnInPhase);
      var value = 0.0;
      if (((p.present >> phase) & 1u) != 0u) {
        if (phase == 0u) {
          value = f32(phase0[at]);
        } else if (phase == 1u) {
          value = f32(phase1[at]);
        } else if (phase == 2u) {
          value = f32(phase2[at]);
        } else {
          value = f32(phase3[at]);
        }
      }
      result[channel * p.resultStride + line * u32(p.width) + u32(column)] = T4(value);
    }
  }
}

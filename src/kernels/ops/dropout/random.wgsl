// Random numbers as a hash of (seed, step, op, logical index): PCG-3D of Jarzynski and Olano 2020 (Hash Functions for GPU
// Rendering), twice.
fn pcg3d(value: vec3u) -> vec3u {
  var v = value * 1664525u + 1013904223u;
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  v ^= v >> vec3u(16u);
  v.x += v.y * v.z;
  v.y += v.z * v.x;
  v.z += v.x * v.y;
  return v;
}

// In [0, 1).
fn uniformNumber(seed: u32, step: u32, operation: u32, index: u32) -> f32 {
  let key = pcg3d(vec3u(seed, step, operation));
  let bits = pcg3d(vec3u(key.x, key.y, key.z ^ index)).x;
  return f32(bits >> 8u) / 16777216.0;
}

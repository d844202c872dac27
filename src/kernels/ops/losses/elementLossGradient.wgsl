// dlogits = upstream / (denominator classes) weights elementSlope, which follows. Workgroups in y share the classes.
struct Parameters { classes: u32, batch: u32, stride: u32, flags: u32, a: f32, b: f32 }
@group(0) @binding(0) var<storage, read> logits: array<T0>;
@group(0) @binding(1) var<storage, read> targets: array<T1>;
@group(0) @binding(2) var<storage, read> classWeights: array<T2>;
@group(0) @binding(3) var<storage, read> positiveWeights: array<T3>;
@group(0) @binding(4) var<storage, read> sampleWeights: array<T4>;
@group(0) @binding(5) var<storage, read> normalizer: array<T5>;
@group(0) @binding(6) var<storage, read> upstream: array<T6>;
@group(0) @binding(7) var<storage, read_write> gradient: array<T7>;
@group(0) @binding(8) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = id.x;
  if (n >= p.batch) {
    return;
  }
  var weight = f32(normalizer[0]) * f32(upstream[0]) / f32(p.classes);
  if ((p.flags & 4u) != 0u) {
    weight *= f32(sampleWeights[n]);
  }
  for (var c = id.y; c < p.classes; c += groups.y) {
    let i = c * p.stride + n;
    var positive = 1.0;
    if ((p.flags & 2u) != 0u) {
      positive = f32(positiveWeights[c]);
    }
    var slope = elementSlope(f32(logits[i]), f32(targets[i]), positive);
    if ((p.flags & 1u) != 0u) {
      slope *= f32(classWeights[c]);
    }
    gradient[i] = T7(select(weight * slope, 0.0, weight == 0.0));
  }
}


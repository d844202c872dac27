// Adam (Kingma and Ba 2015, algorithm 1) with L2 decay in the gradient, or AdamW (Loshchilov and Hutter 2019,
// algorithm 2) with decoupled decay. hyper = [learning rate, 1 - beta1^t, 1 - beta2^t].
struct Parameters { quads: u32, isScaled: u32, decoupled: u32, beta1: f32, beta2: f32, epsilon: f32, weightDecay: f32, factor: f32 }
@group(0) @binding(0) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(4) var<storage, read> hyper: array<f32>;
@group(0) @binding(5) var<storage, read> scale: array<f32>;
@group(0) @binding(6) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.quads) {
    return;
  }
  let rate = hyper[0] * p.factor;
  var old = weight[i];
  var g = gradient[i] * select(1.0, scale[0], p.isScaled != 0u);
  if (p.decoupled == 1u) {
    old -= rate * p.weightDecay * old;
  } else {
    g += p.weightDecay * old;
  }
  let m = p.beta1 * first[i] + (1.0 - p.beta1) * g;
  let v = p.beta2 * second[i] + (1.0 - p.beta2) * g * g;
  first[i] = m;
  second[i] = v;
  weight[i] = old - rate * (m / hyper[1]) / (sqrt(v / hyper[2]) + p.epsilon);
}

// Adam (Kingma and Ba 2015, algorithm 1) with L2 decay in the gradient, or AdamW (Loshchilov and Hutter 2019,
// algorithm 2) with decoupled decay, over all parameters of a chunk. A workgroup takes one block of 256:
// table[block] = (learning-rate factor, weight decay, elements that count, 0); control as beginUpdate left it.
struct Parameters { blocks: u32, decoupled: u32, beta1: f32, beta2: f32, epsilon: f32 }
@group(0) @binding(0) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> first: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> second: array<vec4f>;
@group(0) @binding(3) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(4) var<storage, read> table: array<vec4f>;
@group(0) @binding(5) var<storage, read> learningRate: array<f32>;
@group(0) @binding(6) var<storage, read> control: array<f32>;
@group(0) @binding(7) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block = group.y * groups.x + group.x;
  if (block >= p.blocks || control[1] != 0.0) {
    return;
  }
  let i = block * 64u + lane;
  let entry = table[block];
  let rate = learningRate[0] * entry.x;
  var old = weight[i];
  var g = gradient[i] * control[0];
  if (p.decoupled == 1u) {
    old -= rate * entry.y * old;
  } else {
    g += entry.y * old;
  }
  let m = p.beta1 * first[i] + (1.0 - p.beta1) * g;
  let v = p.beta2 * second[i] + (1.0 - p.beta2) * g * g;
  first[i] = m;
  second[i] = v;
  weight[i] = old - rate * (m / control[2]) / (sqrt(v / control[3]) + p.epsilon);
}

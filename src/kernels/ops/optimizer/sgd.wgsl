// d = factor g + decay w; v = momentum v + d; w -= rate (nesterov ? d + momentum v : v), as torch.optim.SGD, over all parameters of a
// chunk. A workgroup takes one block of 256: table[block] = (learning-rate factor, weight decay, elements that count, 0).
struct Parameters { blocks: u32, nesterov: u32, momentum: f32 }
@group(0) @binding(0) var<storage, read_write> weight: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> velocity: array<vec4f>;
@group(0) @binding(2) var<storage, read> gradient: array<vec4f>;
@group(0) @binding(3) var<storage, read> table: array<vec4f>;
@group(0) @binding(4) var<storage, read> learningRate: array<f32>;
@group(0) @binding(5) var<storage, read> control: array<f32>;
@group(0) @binding(6) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u, @builtin(local_invocation_index) lane: u32) {
  let block = group.y * groups.x + group.x;
  if (block >= p.blocks || control[1] != 0.0) {
    return;
  }
  let i = block * 64u + lane;
  let entry = table[block];
  let old = weight[i];
  let d = gradient[i] * control[0] + entry.y * old;
  let v = p.momentum * velocity[i] + d;
  velocity[i] = v;
  weight[i] = old - learningRate[0] * entry.x * select(v, d + p.momentum * v, p.nesterov == 1u);
}

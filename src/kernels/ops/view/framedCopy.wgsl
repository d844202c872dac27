// Every element of the target from its place in the source. Along a loop, index i of the target meets index (i - start) / step
// of the source, if that is an integer in 0 .. limit - 1; elsewhere the target gets `fill` (border 0), the nearest element of the
// source (border 1) or the one mirrored at the outermost element (border 2). `From` and `To` are single elements or quads.
struct Loop { size: i32, from_: i32, to: i32, start: i32, step: i32, limit: i32, unused0: i32, unused1: i32 }
struct Parameters { count: u32, rank: u32, border: u32, fill: f32, loops: array<Loop, 6> }
@group(0) @binding(0) var<storage, read> source_: array<From>;
@group(0) @binding(1) var<storage, read_write> target_: array<To>;
@group(0) @binding(2) var<uniform> p: Parameters;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  var rest = i32(i);
  var source = 0;
  var target_at = 0;
  var isInside = true;
  for (var axis = i32(p.rank) - 1; axis >= 0; axis--) {
    let loop_ = p.loops[axis];
    let next = rest / loop_.size;
    let index = rest - next * loop_.size;
    rest = next;
    let last = loop_.limit - 1;
    let distance = index - loop_.start;
    var at = distance / loop_.step;
    if (p.border == 0u) {
      isInside = isInside && at * loop_.step == distance && at >= 0 && at <= last;
    } else if (p.border == 2u) {
      at = last - abs(last - abs(at));
    }
    source += clamp(at, 0, last) * loop_.from_;
    target_at += index * loop_.to;
  }
  target_[target_at] = To(select(FromFloat(p.fill), FromFloat(source_[source]), isInside));
}

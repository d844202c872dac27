// One result per invocation: the reduced loops in order, without a division per element.
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = id.y * groups.x * 64u + id.x;
  if (i >= p.count) {
    return;
  }
  let place = placeAt(i);
  let inner = innermost();
  let length = u32(inner.x);
  var total = p.start;
  for (var first = 0u; first < p.reduced_count; first += length) {
    var at = place.x + reducedAt(first);
    for (var k = 0u; k < length; k++) {
      total = combine(total, term(f32(x[at]), place.y));
      at += inner.y;
    }
  }
  y[place.y] = Result(finish(total));
}

// What kernels over the groups along an axis share: a workgroup takes `columns` groups, `lanes` invocations each, side by side
// in memory where the groups' elements are (contiguous) or where the groups are. All are powers of two.
override lanes: u32 = 1u;
override columns: u32 = 64u;
override contiguous: bool = false;
var<workgroup> shared_: array<E, lanes * columns>;

struct Place { group: u32, lane: u32, column: u32 }

fn place(workgroup: vec3u, groups: vec3u, local: u32) -> Place {
  let first = (workgroup.y * groups.x + workgroup.x) * columns;
  if (contiguous) {
    return Place(first + local / lanes, local % lanes, local / lanes);
  }
  return Place(first + local % columns, local / columns, local % columns);
}

// Sum over the lanes of a group, in a fixed tree.
fn total(at: Place, value: E) -> E {
  if (lanes == 1u) {
    return value;
  }
  workgroupBarrier();
  shared_[at.lane * columns + at.column] = value;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at.lane < half) {
      shared_[at.lane * columns + at.column] += shared_[(at.lane + half) * columns + at.column];
    }
  }
  workgroupBarrier();
  return shared_[at.column];
}

fn largest(at: Place, value: E) -> E {
  if (lanes == 1u) {
    return value;
  }
  workgroupBarrier();
  shared_[at.lane * columns + at.column] = value;
  for (var half = lanes / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (at.lane < half) {
      let i = at.lane * columns + at.column;
      shared_[i] = max(shared_[i], shared_[(at.lane + half) * columns + at.column]);
    }
  }
  workgroupBarrier();
  return shared_[at.column];
}


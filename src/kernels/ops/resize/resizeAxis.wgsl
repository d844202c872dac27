// Output place o of an axis lies at (o * step + start) / divisor of the input: whole numbers, so that no rounding decides
// between two neighbours. `p` is put behind it as a constant.
struct Axis { size: i32, resized: i32, step: i32, start: i32, divisor: i32 }
struct Parameters {
  count: u32, columns: u32, stride: u32, input_stride: u32, rounding: u32,
  height: i32, resized_height: i32, step_y: i32, start_y: i32, divisor_y: i32,
  width: i32, resized_width: i32, step_x: i32, start_x: i32, divisor_x: i32,
}

// Two neighbours and the share of the second one; both are the same for the nearest.
struct Taps { first: i32, second: i32, share: f32 }

fn vertical() -> Axis { return Axis(p.height, p.resized_height, p.step_y, p.start_y, p.divisor_y); }
fn horizontal() -> Axis { return Axis(p.width, p.resized_width, p.step_x, p.start_x, p.divisor_x); }

fn floorDivide(a: i32, by: i32) -> i32 {
  let quotient = a / by;
  return select(quotient, quotient - 1, quotient * by > a);
}

fn tapsAt(axis: Axis, o: i32) -> Taps {
  let place = o * axis.step + axis.start;
  let last = axis.size - 1;
  var nearest = 0;
  switch p.rounding {
    case 0u: { // linear
      let below = floorDivide(place, axis.divisor);
      let share = f32(place - below * axis.divisor) / f32(axis.divisor);
      return Taps(clamp(below, 0, last), clamp(below + 1, 0, last), share);
    }
    case 1u: { nearest = floorDivide(place, axis.divisor); }
    case 2u: { nearest = -floorDivide(-place, axis.divisor); }
    case 3u: { nearest = -floorDivide(axis.divisor - 2 * place, 2 * axis.divisor); } // ceil(x - 1/2)
    default: { nearest = floorDivide(2 * place + axis.divisor, 2 * axis.divisor); } // floor(x + 1/2)
  }
  nearest = clamp(nearest, 0, last);
  return Taps(nearest, nearest, 0.0);
}

// -(positive t log sigmoid(x) + (1 - t) log sigmoid(-x)) = (1 - t) x + (1 + (positive - 1) t) log(1 + exp(-x)), with the
// exponential never above 1.
fn elementLoss(x: f32, t: f32, positive: f32) -> f32 {
  let e = exp(-abs(x));
  let series = e * (1.0 - e * (0.5 - e * (1.0 / 3.0 - e * (0.25 - e * 0.2))));
  let tail = select(log(1.0 + e), series, e < 0.05);
  return positive * t * (max(-x, 0.0) + tail) + (1.0 - t) * (max(x, 0.0) + tail);
}

fn elementSlope(x: f32, t: f32, positive: f32) -> f32 {
  let e = exp(-abs(x));
  let both = vec2f(1.0, e) / (1.0 + e);
  // sigmoid(x) and sigmoid(-x).
  let sides = select(both.yx, both, x >= 0.0);
  return (1.0 - t) * sides.x - positive * t * sides.y;
}

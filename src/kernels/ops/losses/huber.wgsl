// b times Huber's loss with delta a.
fn elementLoss(x: f32, t: f32, positive: f32) -> f32 {
  let d = abs(x - t);
  return p.b * select(p.a * (d - 0.5 * p.a), 0.5 * d * d, d <= p.a);
}

fn elementSlope(x: f32, t: f32, positive: f32) -> f32 {
  return p.b * clamp(x - t, -p.a, p.a);
}

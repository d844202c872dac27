// Lin et al. 2017, equation 5: alpha_t (1 - p_t)^gamma times binary cross-entropy; gamma = a, alpha = b (negative: none).
// p_t = p t + (1 - p) (1 - t), so 1 - p_t = (1 - p) t + p (1 - t), a sum without cancellation.
struct Focal { probability: f32, complement: f32, loss: f32, miss: f32, alpha: f32 }

fn focal(x: f32, t: f32) -> Focal {
  let e = exp(-abs(x));
  let both = vec2f(1.0, e) / (1.0 + e);
  let sides = select(both.yx, both, x >= 0.0);
  let series = e * (1.0 - e * (0.5 - e * (1.0 / 3.0 - e * (0.25 - e * 0.2))));
  let tail = select(log(1.0 + e), series, e < 0.05);
  let loss = t * max(-x, 0.0) + (1.0 - t) * max(x, 0.0) + tail;
  let alpha = select(p.b * t + (1.0 - p.b) * (1.0 - t), 1.0, p.b < 0.0);
  return Focal(sides.x, sides.y, loss, sides.y * t + sides.x * (1.0 - t), alpha);
}

fn elementLoss(x: f32, t: f32, positive: f32) -> f32 {
  let at = focal(x, t);
  return at.alpha * at.loss * select(select(0.0, pow(at.miss, p.a), at.miss > 0.0), 1.0, p.a == 0.0);
}

fn elementSlope(x: f32, t: f32, positive: f32) -> f32 {
  let at = focal(x, t);
  let plain = at.probability * (1.0 - t) - at.complement * t;
  if (p.a == 0.0) {
    return at.alpha * plain;
  }
  if (at.miss <= 0.0) {
    return 0.0;
  }
  let modulation = pow(at.miss, p.a);
  let missSlope = (1.0 - 2.0 * t) * at.probability * at.complement;
  return at.alpha * modulation * (plain + p.a * at.loss / at.miss * missSlope);
}

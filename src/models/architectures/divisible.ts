/** The multiple of 8 nearest to `channels`, not more than 10 % below it (the rule of MobileNet's authors in their own code). */
export function makeDivisible(channels: number): number {
  const rounded = Math.max(8, Math.floor((channels + 4) / 8) * 8);
  return rounded < 0.9 * channels ? rounded + 8 : rounded;
}

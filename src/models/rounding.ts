/** To the nearest integer, halves to the even one, as the `round` of Python, NumPy and PyTorch. */
export function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}

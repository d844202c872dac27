/** Matrix products in float64 for the reference: rows of `length` values, contiguous. */

/** c[m] += sum over k of a(m, k) b[k], rows of `length` values; a(m, k) is a[m * rowStep + k * columnStep]. */
export function addProduct(
  c: Float64Array,
  a: ArrayLike<number>,
  b: Float64Array,
  sizes: {
    readonly rows: number;
    readonly depth: number;
    readonly length: number;
    readonly rowStep: number;
    readonly columnStep: number;
  },
  offsets: { readonly c: number; readonly a: number; readonly b: number },
): void {
  const { rows, depth, length, rowStep, columnStep } = sizes;
  for (let m = 0; m < rows; m++) {
    const to = offsets.c + m * length;
    let k = 0;
    // Four at a time: one store for four products.
    for (; k + 4 <= depth; k += 4) {
      const from = offsets.a + m * rowStep + k * columnStep;
      const a0 = a[from] as number;
      const a1 = a[from + columnStep] as number;
      const a2 = a[from + 2 * columnStep] as number;
      const a3 = a[from + 3 * columnStep] as number;
      const b0 = offsets.b + k * length;
      const [b1, b2, b3] = [b0 + length, b0 + 2 * length, b0 + 3 * length];
      for (let p = 0; p < length; p++) {
        c[to + p] =
          (c[to + p] as number) +
          a0 * (b[b0 + p] as number) +
          a1 * (b[b1 + p] as number) +
          a2 * (b[b2 + p] as number) +
          a3 * (b[b3 + p] as number);
      }
    }
    for (; k < depth; k++) {
      const factor = a[offsets.a + m * rowStep + k * columnStep] as number;
      const from = offsets.b + k * length;
      for (let p = 0; p < length; p++) c[to + p] = (c[to + p] as number) + factor * (b[from + p] as number);
    }
  }
}

/** c(m, k) += a[m] . b[k]: dot products of rows of `length` values; c is dense [rows, depth]. */
export function addDots(
  c: Float64Array,
  a: Float64Array,
  b: Float64Array,
  sizes: { readonly rows: number; readonly depth: number; readonly length: number },
  offsets: { readonly c: number; readonly a: number; readonly b: number },
): void {
  const { rows, depth, length } = sizes;
  for (let m = 0; m < rows; m++) {
    const from = offsets.a + m * length;
    for (let k = 0; k < depth; k++) {
      const other = offsets.b + k * length;
      let [s0, s1, s2, s3] = [0, 0, 0, 0];
      let p = 0;
      for (; p + 4 <= length; p += 4) {
        s0 += (a[from + p] as number) * (b[other + p] as number);
        s1 += (a[from + p + 1] as number) * (b[other + p + 1] as number);
        s2 += (a[from + p + 2] as number) * (b[other + p + 2] as number);
        s3 += (a[from + p + 3] as number) * (b[other + p + 3] as number);
      }
      for (; p < length; p++) s0 += (a[from + p] as number) * (b[other + p] as number);
      const at = offsets.c + m * depth + k;
      c[at] = (c[at] as number) + s0 + s1 + s2 + s3;
    }
  }
}

/** Sizes of `count` parts of a batch, as equal as can be, larger ones first. */
export function partSizes(batchSize: number, count: number): number[] {
  const small = Math.floor(batchSize / count);
  const larger = batchSize - small * count;
  return Array.from({ length: count }, (_, index) => small + (index < larger ? 1 : 0));
}

/** Sizes of the parts of a batch that has at most `largest` pictures in each. */
export const partsOfBatch = (batchSize: number, largest: number): number[] =>
  partSizes(batchSize, Math.ceil(batchSize / largest));

/** Numbers of parts to try, in order: one more each time at first, then coarser, in the end one picture a part. */
export function partCounts(batchSize: number): number[] {
  const counts: number[] = [];
  for (let count = 1; count < batchSize; count += Math.max(1, Math.floor(count / 4))) counts.push(count);
  counts.push(batchSize);
  return counts;
}

/** The pictures `from` up to `to` of inputs that hold `count` pictures one after the other. */
export function slicePictures(
  inputs: Readonly<Record<string, ArrayBufferView>>,
  count: number,
  from: number,
  to: number,
): Record<string, ArrayBufferView> {
  return Object.fromEntries(
    Object.entries(inputs).map(([name, { buffer, byteOffset, byteLength }]) => {
      const bytes = byteLength / count;
      return [name, new Uint8Array(buffer, byteOffset + from * bytes, (to - from) * bytes)];
    }),
  );
}

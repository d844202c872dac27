/**
 * Each item with what `load` makes of it, in order, `depth` of them under way before they are asked for. Whoever stops early waits
 * for what is under way. The first failure ends it, when its turn comes.
 */
export async function* ahead<Item, Value>(
  items: readonly Item[],
  depth: number,
  load: (item: Item) => Promise<Value>,
): AsyncGenerator<readonly [Item, Value], void, undefined> {
  const underWay: Promise<Value>[] = [];
  let next = 0;
  const fill = () => {
    for (; next < items.length && underWay.length < depth; next++) {
      const value = load(items[next] as Item);
      // It is looked at later; until then a failure must not count as unhandled.
      value.catch(() => undefined);
      underWay.push(value);
    }
  };
  try {
    fill();
    for (const item of items) {
      const value = await (underWay.shift() as Promise<Value>);
      fill();
      yield [item, value];
    }
  } finally {
    await Promise.allSettled(underWay);
  }
}

/** `values` in pieces of `size`, the last one shorter. */
export function batchesOf<Value>(values: readonly Value[], size: number): Value[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, i) => values.slice(i * size, (i + 1) * size));
}

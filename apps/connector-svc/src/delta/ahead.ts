/** The results of `work` in the order of the items, up to `width` of them under way; the first failure is thrown where it stands. */
export async function* ahead<T, R>(items: Iterable<T>, width: number, work: (item: T) => Promise<R>): AsyncIterable<R> {
  const under: Promise<R>[] = [];
  for (const item of items) {
    const started = work(item);
    // It is awaited in its turn; until then its failure must not count as unhandled.
    started.catch(() => {});
    under.push(started);
    if (under.length >= width) yield await under.shift()!;
  }
  while (under.length > 0) yield await under.shift()!;
}

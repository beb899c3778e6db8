/** Compares a value in its own way; returns what is wrong, or null. `parent` is the expected object that holds the field. */
export type FieldRule = (
  expected: unknown,
  actual: unknown,
  parent: Readonly<Record<string, unknown>>,
) => string | null;

/**
 * Compares every field of an expected value with an actual one, and remembers which it compared, by patterns like `snapshots[].stats.rows`.
 * Rules, by pattern, stand for the comparison of all that is below; members of the actual value that were not expected are no difference.
 */
export class FieldByField {
  /** How often each pattern was compared. */
  readonly compared = new Map<string, number>();
  readonly differences: string[] = [];

  constructor(private readonly rules: Readonly<Record<string, FieldRule>> = {}) {}

  compare(expected: unknown, actual: unknown): void {
    this.walk(expected, actual, { path: '', pattern: '', parent: {} });
  }

  private walk(expected: unknown, actual: unknown, at: Place): void {
    const rule = this.rules[at.pattern];
    if (rule) return this.note(at, rule(expected, actual, at.parent));
    if (Array.isArray(expected)) return this.walkList(expected, actual, at);
    if (typeof expected === 'object' && expected !== null) return this.walkObject(expected, actual, at);
    this.note(at, Object.is(expected, actual) ? null : `expected ${shown(expected)}, found ${shown(actual)}`);
  }

  private walkList(expected: readonly unknown[], actual: unknown, at: Place): void {
    const length = Array.isArray(actual) ? actual.length : -1;
    this.note(at, length === expected.length ? null : `expected ${expected.length} items, found ${shown(actual)}`);
    if (length !== expected.length) return;
    expected.forEach((item, n) => {
      const place = { ...at, path: `${at.path}[${n}]`, pattern: `${at.pattern}[]` };
      this.walk(item, (actual as unknown[])[n], place);
    });
  }

  private walkObject(expected: object, actual: unknown, at: Place): void {
    const isObject = typeof actual === 'object' && actual !== null;
    this.note(at, isObject ? null : `expected an object, found ${shown(actual)}`);
    if (!isObject) return;
    const parent = expected as Record<string, unknown>;
    const dot = at.path === '' ? '' : '.';
    for (const [name, member] of Object.entries(parent)) {
      const place = { path: `${at.path}${dot}${name}`, pattern: `${at.pattern}${dot}${name}`, parent };
      this.walk(member, (actual as Record<string, unknown>)[name], place);
    }
  }

  private note({ path, pattern }: Place, difference: string | null): void {
    this.compared.set(pattern, (this.compared.get(pattern) ?? 0) + 1);
    if (difference !== null) this.differences.push(`${path}: ${difference}`);
  }
}

interface Place {
  readonly path: string;
  readonly pattern: string;
  readonly parent: Readonly<Record<string, unknown>>;
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? 'nothing').slice(0, 120);
}

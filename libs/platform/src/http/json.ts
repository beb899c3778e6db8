import { type InputFault } from '@homeostat/shared';

/** What a value becomes on its way out as JSON: times as RFC 3339 in UTC with milliseconds, all else as it is. */
export type Presented<T> = T extends Date ? string : T extends object ? { [K in keyof T]: Presented<T[K]> } : T;

/** Returns a copy whose dates are strings; members that are undefined are left out, as JSON does. */
export function present<T>(value: T): Presented<T> {
  return shown(value) as Presented<T>;
}

function shown(value: unknown): unknown {
  if (value instanceof Date) return value.toISOString();
  if (Array.isArray(value)) return value.map(shown);
  if (value === null || typeof value !== 'object') return value;
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, shown(member)]));
}

/** JSON with the members of every object in one order, so that equal values have equal texts. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_name, member: unknown) =>
    member !== null && typeof member === 'object' && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  );
}

/** Deeper than any of our requests; a hundred thousand brackets would exhaust the stack of whoever walks them. */
const deepest = 50;
/** PostgreSQL stores no NUL, and would turn half a surrogate pair into another character. */
const unstorable = /[\0\p{Cs}]/u;

/** Where, and why, a parsed value cannot be stored as it is. */
export function unstorables(value: unknown, pointer: (path: readonly string[]) => string): InputFault[] {
  const faults: InputFault[] = [];
  const walk = (member: unknown, path: readonly string[]): void => {
    const fault = faultOf(member, path);
    if (fault) faults.push({ pointer: pointer(path.map(printable)), message: fault });
    else if (member !== null && typeof member === 'object') {
      for (const [name, inner] of Object.entries(member)) walk(inner, [...path, name]);
    }
  };
  walk(value, []);
  return faults;
}

function faultOf(member: unknown, path: readonly string[]): string | null {
  if (path.length > deepest) return `is nested deeper than ${deepest} levels`;
  const name = path.at(-1) ?? '';
  if (unstorable.test(name)) return 'has a name with a NUL character or half a surrogate pair';
  if (name === '__proto__') return 'is not a name that can be used';
  return typeof member === 'string' && unstorable.test(member)
    ? 'holds a NUL character or half a surrogate pair'
    : null;
}

function printable(name: string): string {
  return name.replace(/[\0\p{Cs}]/gu, '\uFFFD');
}

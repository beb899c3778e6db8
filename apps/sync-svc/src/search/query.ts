import { type InputFault } from '@homeostat/shared';
import { Range } from 'semver';
import { LAST_INSTANT_MS, instantOf } from './instant';
import { folded } from './terms';
import { keyOf, versionKey } from './version-key';

/** From `low` on, and below `high`; null: without a bound. */
export interface Interval {
  readonly low: string | null;
  readonly high: string | null;
}

/** What makes a record match: one of these. */
export type Match =
  | { readonly by: 'term'; readonly term: string }
  | { readonly by: 'pattern'; readonly kind: string; readonly like: string }
  | { readonly by: 'interval'; readonly column: 'version_key' | 'authored_at'; readonly interval: Interval }
  | { readonly by: 'schema_version'; readonly intervals: readonly Interval[] }
  | { readonly by: 'flag'; readonly flag: 'signed' | 'verified'; readonly value: boolean };

/** Any of `any`; or, negated, none of them. */
export interface Group {
  readonly negated: boolean;
  readonly any: readonly Match[];
}

type Parse = (value: string) => Match[] | string;

const wildcard = /[*?]/;
const WORDS_OF: Readonly<Record<string, Parse>> = {
  name: text('name'),
  version: (value) => versions(value, (interval) => ({ by: 'interval', column: 'version_key', interval })),
  'schema-version': schemaVersions,
  'created-at': instants,
  author: text('author'),
  skill: numbered('skill'),
  'skill-id': text('skill-id'),
  'skill-name': text('skill-name'),
  domain: numbered('domain'),
  'domain-id': text('domain-id'),
  'domain-name': text('domain-name'),
  module: numbered('module'),
  'module-id': text('module-id'),
  'module-name': text('module-name'),
  locator,
  'locator-type': text('locator-type'),
  'locator-url': text('locator-url'),
  annotation,
  verified: flag('verified'),
  signed: flag('signed'),
};

/** What can be asked for (spec 2, "Search"). */
export const queryKinds = Object.keys(WORDS_OF);

/**
 * Reads `kind:value` and `!kind:value`. Values of one kind are alternatives, different kinds must all match, and what is
 * negated must not. Returns every fault where there is one.
 */
export function parseQueries(queries: readonly string[]): { groups: Group[] } | { faults: InputFault[] } {
  const groups = new Map<string, { negated: boolean; any: Match[] }>();
  const faults: InputFault[] = [];
  for (const query of queries) {
    const [, not, kind = '', value = ''] = /^(!?)([a-z_-]+):(.+)$/is.exec(query.trim()) ?? [];
    const name = kind.toLowerCase().replaceAll('_', '-');
    const matches = Object.hasOwn(WORDS_OF, name) ? WORDS_OF[name]!(value.trim()) : unknown(query);
    if (typeof matches === 'string') {
      faults.push({ pointer: '?query', message: `${JSON.stringify(query.slice(0, 100))} ${matches}` });
      continue;
    }
    const group = groups.get(`${not}${name}`) ?? { negated: not === '!', any: [] };
    group.any.push(...matches);
    groups.set(`${not}${name}`, group);
  }
  return faults.length > 0 ? { faults } : { groups: [...groups.values()] };
}

function unknown(query: string): string {
  if (!/^!?[a-z_-]+:./is.test(query.trim())) return 'is no query: write it like skill:translation or !author:acme*';
  return `is of no kind that is known: those are ${queryKinds.join(', ')}`;
}

/** Equal whatever the letter case, or like a pattern of `*` (any characters) and `?` (one). */
function text(kind: string): (value: string) => Match[] {
  return (value) => [wildcard.test(value) ? pattern(kind, value) : term(kind, value)];
}

function term(kind: string, value: string): Match {
  return { by: 'term', term: `${kind}=${folded(value)}` };
}

function pattern(kind: string, value: string): Match {
  const like = folded(value)
    .replace(/[\\%_]/g, '\\$&')
    .replace(/\*+/g, '%')
    .replaceAll('?', '_');
  return { by: 'pattern', kind, like };
}

function numbered(kind: string): Parse {
  return (value) => text(/^\d+$/.test(value) ? `${kind}-id` : `${kind}-name`)(value);
}

/** With a scheme it is a URL; what begins with a wildcard may be either. */
function locator(value: string): Match[] {
  const kinds = /^[a-z][a-z\d+.-]*:\/\//i.test(value) ? ['locator-url'] : ['locator-type'];
  if (/^[*?]/.test(value)) kinds.push('locator-url');
  return kinds.flatMap((kind) => text(kind)(value));
}

/** `name=value` or `name:value`; a name alone is found with any value. */
function annotation(value: string): Match[] {
  const named = /^[^=:]+$/.test(value) ? `${value}=*` : value.replace(/^([^=:]+):/, '$1=');
  return text('annotation')(named);
}

function flag(which: 'signed' | 'verified'): Parse {
  return (value) => {
    const word = value.toLowerCase();
    return word === 'true' || word === 'false'
      ? [{ by: 'flag', flag: which, value: word === 'true' }]
      : 'must be true or false';
  };
}

function versions(value: string, match: (interval: Interval) => Match): Match[] | string {
  const intervals = intervalsOf(value);
  if (intervals) return intervals.map(match);
  if (wildcard.test(value)) return [pattern('version', value)];
  const key = versionKey(value);
  // Build metadata does not count for the order, but who names it means it.
  return key === '' || value.includes('+') ? [term('version', value)] : [match(exactly(key))];
}

function schemaVersions(value: string): Match[] | string {
  const intervals = intervalsOf(value);
  return intervals ? [{ by: 'schema_version', intervals }] : text('schema-version')(value);
}

/** The intervals of a range such as `>=1.2.0 <2`, `^1.2` or `~1.2`; null for what has no operator. */
function intervalsOf(value: string): Interval[] | null {
  if (!/^[<>=^~]/.test(value)) return null;
  try {
    const { set } = new Range(value.replace(/^==/, '='), { includePrerelease: true });
    return set.map((all) => all.reduce(narrowed, { low: '!', high: null }));
  } catch {
    return null;
  }
}

function narrowed({ low, high }: Interval, { operator, semver }: Range['set'][number][number]): Interval {
  if (!('major' in semver)) return { low, high };
  const key = keyOf(semver);
  switch (operator) {
    case '>=':
      return { low: key, high };
    case '>':
      return { low: after(key), high };
    case '<':
      return { low, high: key };
    case '<=':
      return { low, high: after(key) };
    default:
      return exactly(key);
  }
}

function exactly(key: string): Interval {
  return { low: key, high: after(key) };
}

/** The least text above another, in byte order. */
function after(key: string): string {
  return `${key}\u0001`;
}

const DAY_MS = 86_400_000;

/** A day (`2026-01-15`), an instant, or either after an operator. */
function instants(value: string): Match[] | string {
  if (wildcard.test(value)) return [pattern('created-at', value)];
  const [, operator = '', date = ''] = /^(>=|<=|>|<|=)?\s*(.+)$/s.exec(value) ?? [];
  const from = instantOf(date);
  if (from === null || !/^\d{4}-\d{2}-\d{2}/.test(date))
    return 'is no time: write it like 2026-01-15, or >=2026-01-15T10:00:00Z';
  const iso = (ms: number) => new Date(Math.min(ms, LAST_INSTANT_MS)).toISOString();
  const [start, end] = [iso(from), iso(date.length === 10 ? from + DAY_MS : from + 1)];
  const intervals: Readonly<Record<string, Interval>> = {
    '>=': { low: start, high: null },
    '>': { low: end, high: null },
    '<': { low: null, high: start },
    '<=': { low: null, high: end },
  };
  return [{ by: 'interval', column: 'authored_at', interval: intervals[operator] ?? { low: start, high: end } }];
}

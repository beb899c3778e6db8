import { Database } from '@homeostat/platform';
import { Injectable } from '@nestjs/common';
import { Values, conditionOf, isIndexed } from './conditions';
import type { Group, Interval, Match } from './query';
import { versionKey } from './version-key';

/**
 * Newest records that are looked through first: they tell how far a page would reach. At 2 µs a record, or 3 where patterns
 * are compared, that is some 1 ms in vain for what is rare.
 */
const PROBED = 300;
/** Newest records that are walked through rather than asking an index, where the page should end by then; at most 20 ms. */
const WALKED = 6_000;
/** So much further than expected a page may reach. */
const MARGIN = 1.5;
/** Values that a pattern is spelled out into, at 30 µs each. What matches more of them is so frequent that walking finds it. */
const MOST_VALUES = 1_000;
/** Records that patterns are compared with one by one, rather than be spelled out. */
const RARE = 1_000;

const indexed = `r.status = 'indexed'`;
/**
 * Beside what the indexes find: a record that was set aside may still have a verified name. Written so that the planner
 * cannot prefer to walk through all that is indexed, and compare a thousand terms with each.
 */
const alsoIndexed = `r.status || '' = 'indexed'`;

export interface PageAsked {
  /** What is read of each, as a select list for `record r`. */
  readonly columns: string;
  readonly groups: readonly Group[];
  /** Only records that came before this one. */
  readonly after: string | null;
  readonly limit: number;
}

/**
 * Finds records in the index, newest first. A page costs what it holds, whether few or most records match: the newest are
 * looked through first; then, what is rare has an index, for which patterns are spelled out.
 */
@Injectable()
export class Search {
  constructor(private readonly database: Database) {}

  /** Up to `limit` records that match. */
  async page<Row>(asked: PageAsked): Promise<Row[]> {
    const groups = await this.withSchemaVersions(asked.groups);
    if (groups.length === 0) return this.walk<Row>({ ...asked, groups }, null);
    const patterns = patternsOf(groups);
    // What is spelled out at little cost is not waited for.
    const isCheap = patterns.every(({ like }) => prefixOf(like) !== null);
    const early = isCheap ? this.spelledOut(groups) : null;
    const [newest] = await Promise.all([this.newest<Row>({ ...asked, groups }), early]);
    if (newest) return newest;
    const enough = patterns.length === 0 || (await this.isRare(groups.filter(isIndexed)));
    const spelled = enough ? groups : await (early ?? this.spelledOut(groups));
    return spelled.some(isIndexed)
      ? this.look({ ...asked, groups: spelled })
      : this.walk({ ...asked, groups: spelled }, null);
  }

  /** How many records match. */
  async count(asked: readonly Group[]): Promise<number> {
    const groups = await this.spelledOut(await this.withSchemaVersions(asked));
    const values = new Values();
    const where = groups.map((group) => conditionOf(group, values));
    const [row] = await this.database.query<{ count: string }>(
      `SELECT count(*) AS count FROM record r WHERE ${[groups.some(isIndexed) ? alsoIndexed : indexed, ...where].join(' AND ')}`,
      values.list,
    );
    return Number(row!.count);
  }

  /** The page, where what matches is so frequent that the newest records hold it; else null. */
  private async newest<Row>(asked: PageAsked): Promise<Row[] | null> {
    const { limit } = asked;
    const probed = await this.walk<Row>(asked, PROBED);
    if (probed.length >= limit) return probed;
    if (probed.length * WALKED < limit * PROBED * MARGIN) return null;
    const walked = await this.walk<Row>(asked, WALKED);
    return walked.length >= limit ? walked : null;
  }

  /** In the order of the page; `most`: rows that are looked at, null for all. */
  private walk<Row>({ columns, groups, after, limit }: PageAsked, most: number | null): Promise<Row[]> {
    const values = new Values();
    const where = [indexed, ...(after === null ? [] : [`r.id < ${values.add(after)}::uuid`])];
    const from =
      most === null
        ? 'record'
        : `(SELECT * FROM record r WHERE ${where.join(' AND ')} ORDER BY r.id DESC LIMIT ${most})`;
    const conditions = [...(most === null ? where : []), ...groups.map((group) => conditionOf(group, values))];
    const found = `SELECT r.id FROM ${from} AS r ${conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''}`;
    return this.read(columns, `${found} ORDER BY r.id DESC LIMIT ${values.add(limit)}`, values);
  }

  /** By the indexes, and sorted then. */
  private look<Row>({ columns, groups, after, limit }: PageAsked): Promise<Row[]> {
    const values = new Values();
    const where = [
      alsoIndexed,
      ...groups.map((group) => conditionOf(group, values)),
      ...(after === null ? [] : [`r.id < ${values.add(after)}::uuid`]),
    ];
    const found = `WITH found AS MATERIALIZED (SELECT r.id FROM record r WHERE ${where.join(' AND ')})`;
    return this.read(columns, `${found} SELECT id FROM found ORDER BY id DESC LIMIT ${values.add(limit)}`, values);
  }

  /**
   * The records of these ids, in the statement that finds them. An array, because PostgreSQL takes it for few: it looks
   * up what belongs to each, and reads no list of all verified names for a page.
   */
  private read<Row>(columns: string, ids: string, { list }: Values): Promise<Row[]> {
    return this.database.query(
      `SELECT ${columns} FROM record r WHERE r.id = ANY (ARRAY (${ids})) ORDER BY r.id DESC`,
      list,
    );
  }

  /** Whether what the indexes find already is so little that the rest can be compared with each of it. */
  private async isRare(groups: readonly Group[]): Promise<boolean> {
    if (groups.length === 0) return false;
    const values = new Values();
    const where = [alsoIndexed, ...groups.map((group) => conditionOf(group, values))].join(' AND ');
    const [row] = await this.database.query<{ count: number }>(
      `SELECT count(*)::integer AS count FROM (SELECT FROM record r WHERE ${where} LIMIT ${RARE + 1}) AS found`,
      values.list,
    );
    return row!.count <= RARE;
  }

  /** Patterns become the values that they match, where those are not too many. */
  private spelledOut(groups: readonly Group[]): Promise<Group[]> {
    const spell = async (match: Match): Promise<Match[]> => (match.by === 'pattern' ? this.valuesOf(match) : [match]);
    return Promise.all(
      groups.map(async ({ negated, any }) => ({ negated, any: (await Promise.all(any.map(spell))).flat() })),
    );
  }

  private async valuesOf(pattern: Pattern): Promise<Match[]> {
    const { kind, like } = pattern;
    const prefix = prefixOf(like);
    // Only what has three letters in a row is in the trigrams' index.
    const sql = /[\p{L}\p{N}]{3}/u.test(like.replace(/\\./g, ' ')) ? byTrigrams : byKind;
    const most = MOST_VALUES + 1;
    const [row] = await (prefix === null
      ? this.database.query<Found>(inOne(sql), [kind, like, most])
      : this.database.query<Found>(inOne(byPrefix), [kind, prefix, `${prefix}\u{10ffff}`, most]));
    const found = row!.found ?? [];
    if (found.length > MOST_VALUES) return [pattern];
    return found.map((value) => ({ by: 'term', term: `${kind}=${value}` }));
  }

  /** There are few schema versions: those within the intervals are spelled out. */
  private async withSchemaVersions(groups: readonly Group[]): Promise<Group[]> {
    if (!groups.some(({ any }) => any.some(({ by }) => by === 'schema_version'))) return [...groups];
    const known = await this.database.query<{ value: string }>(
      `SELECT value FROM record_word WHERE kind = 'schema-version' ORDER BY value`,
    );
    const spell = (match: Match): Match[] =>
      match.by === 'schema_version'
        ? known
            .filter(({ value }) => isWithin(value, match.intervals))
            .map(({ value }) => ({ by: 'term', term: `schema-version=${value}` }))
        : [match];
    return groups.map(({ negated, any }) => ({ negated, any: any.flatMap(spell) }));
  }
}

type Pattern = Extract<Match, { by: 'pattern' }>;

function patternsOf(groups: readonly Group[]): Pattern[] {
  return groups.flatMap(({ any }) => any).filter((match): match is Pattern => match.by === 'pattern');
}

function isWithin(version: string, intervals: readonly Interval[]): boolean {
  const key = versionKey(version);
  return intervals.some(({ low, high }) => (low === null || key >= low) && (high === null || key < high));
}

/** What a pattern begins with that has its only wildcard at its end; else null. */
function prefixOf(like: string): string | null {
  const [, literal] = /^((?:[^\\%_]|\\.)+)%$/s.exec(like) ?? [];
  return literal?.replace(/\\(.)/gs, '$1') ?? null;
}

/** null: none. */
interface Found {
  readonly found: readonly string[] | null;
}

/** A thousand rows cost more to take apart than to find. */
const inOne = (sql: string): string => `SELECT json_agg(value) AS found FROM (${sql}) AS of`;

/** In the order of the key, of which the first thousand are next to each other: 0.3 ms, where trigrams take 25. */
const byPrefix = `SELECT value FROM record_word WHERE kind = $1 AND value >= $2 AND value < $3 LIMIT $4`;

/** Written so that the planner cannot prefer to read all values of the kind. */
const byTrigrams = `SELECT value FROM record_word WHERE value LIKE $2 AND kind || '' = $1 LIMIT $3`;

const byKind = 'SELECT value FROM record_word WHERE kind = $1 AND value LIKE $2 LIMIT $3';

import { z } from 'zod';
import { durationMs } from '../settings';

/** A resource's id: a UUID, lower case. */
export const resourceId = z.uuid('is no UUID').toLowerCase();

/** The parameters of every route of one resource. */
export const idParams = z.strictObject({ id: resourceId });

/**
 * Written without look-around and classes of Unicode, so that tools which read the OpenAPI document can use it. Halves of
 * surrogate pairs are refused everywhere, before schemas are asked.
 */
const control = '\\u0000-\\u001f\\u007f-\\u009f';
const edge = `[^\\s${control}]`;
const trimmed = new RegExp(`^(${edge}([^${control}\\u2028\\u2029]*${edge})?)?$`, 'u');

/** A name that people chose: 1 to `max` characters, no control characters, no white space at its ends. */
export const name = (max: number) =>
  z
    .string()
    .min(1, 'is empty')
    .max(max, `is longer than ${max} characters`)
    .regex(trimmed, 'has control characters, or white space at its ends');

/** An instant, RFC 3339 in UTC with milliseconds. */
export const instant = z.iso.datetime({ precision: 3 });

/** The members that every resource carries (spec 0, "How"); 64-bit numbers are strings. */
export const resourceShape = {
  id: z.uuid(),
  tenant_id: z.string(),
  status: z.string(),
  reason: z.string().nullable().describe('A stable CamelCase word'),
  message: z.string().nullable().describe('A sentence for people'),
  generation: z.string().describe('Counts the changes'),
  created_at: instant,
  updated_at: instant,
};

/** The answer to a list. */
export const page = <Item extends z.ZodType>(item: Item) =>
  z.object({ items: z.array(item), next_cursor: z.string().nullable() });

/** A Go-style duration of a request (`30s`, `1m30s`) up to `mostMs`, parsed into milliseconds. */
export const timeout = (mostMs: number) =>
  z
    .string()
    .transform((text, context) => {
      const ms = durationMs(text);
      if (ms !== null && ms <= mostMs) return ms;
      context.addIssue(`is no duration up to ${mostMs / 1_000}s: write it like 30s or 1m30s`);
      return z.NEVER;
    })
    .meta({ type: 'string', examples: ['30s'], pattern: '^([0-9]+(\\.[0-9]+)?(ns|us|ms|s|m|h))+$' });

/** A whole number of a query string, from `least` to `most`. */
export const wholeNumber = (least: number, most: number) =>
  z
    .string()
    .transform((text, context) => {
      const number = /^\d{1,15}$/.test(text) ? Number(text) : NaN;
      if (number >= least && number <= most) return number;
      context.addIssue(`is no whole number from ${least} to ${most}`);
      return z.NEVER;
    })
    .meta({ type: 'integer', minimum: least, maximum: most });

/** `?wait=ready&timeout=30s` for a resource of these states. */
export const waitQuery = <const States extends readonly [string, ...string[]]>(states: States) =>
  z.strictObject({ wait: z.enum(states).optional(), timeout: timeout(300_000).optional() });

/** What a query string holds of a list: the page, and filters by column name; `more` adds filters of other types. */
export const listQuery = <Filter extends string, More extends z.ZodRawShape = Record<never, z.ZodType>>(
  filters: readonly Filter[],
  more: More = {} as More,
) => {
  const text = z.string().min(1, 'is empty').max(255, 'is too long').optional();
  const shape = Object.fromEntries(
    filters.map((filter) => [filter, filter.endsWith('_id') ? resourceId.optional() : text]),
  ) as Record<Filter, z.ZodOptional<z.ZodString>>;
  return z.strictObject({
    limit: wholeNumber(1, 500).default(50).describe('How many, at most 500; 50 where not given'),
    cursor: z.string().max(500, 'is no cursor of ours').optional().describe('next_cursor of the page before'),
    ...shape,
    ...more,
  });
};

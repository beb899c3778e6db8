import { HouseError, type InputFault } from '@homeostat/shared';
import type { Request } from 'express';
import { type z } from 'zod';
import type { Tx } from '../database/tx';
import { readJson } from './body';
import type { Caller } from './caller';
import { type Presented, unstorables } from './json';

/** The schemas (or the plain types) of what a route is given. */
export interface Parts {
  readonly params?: unknown;
  readonly query?: unknown;
  readonly body?: unknown;
}

type Parsed<P extends Parts, Name extends keyof Parts> =
  P extends Readonly<Record<Name, infer Part>> ? (Part extends z.ZodType ? z.output<Part> : Part) : object;

/** A handler's only argument: `Asked<{ params: typeof idParams; body: typeof newProject }>`. */
export type Asked<P extends Parts = Parts> = Admission<Parsed<P, 'params'>, Parsed<P, 'query'>, Parsed<P, 'body'>>;

/** A request whose caller was let in, and whose parts were found valid. */
export interface Admission<Params, Query, Body> {
  readonly caller: Caller;
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  /** The header If-Match, for `checkIfMatch`. */
  readonly ifMatch: string | null;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
  /**
   * Runs `work` in one transaction of the controller's `database`. With an Idempotency-Key, the answer is kept for
   * 24 h, and the same request is given it again without running `work`. Returns what is to be answered.
   */
  once<T extends object>(work: (tx: Tx) => Promise<T>): Promise<Presented<T>>;
}

export interface Schemas {
  readonly params: z.ZodType;
  readonly query: z.ZodType;
  readonly body: z.ZodType;
}

export interface Given {
  readonly params: unknown;
  readonly query: unknown;
  readonly body: unknown;
  /** The body before it was parsed by its schema. */
  readonly raw: unknown;
}

/**
 * Where a fault is, in the words of the caller: `/name` in the body (RFC 6901), `?limit` in the query, `{id}` in the
 * path.
 */
const pointers: Record<keyof Schemas, (path: readonly PropertyKey[]) => string> = {
  params: (path) => `{${path.join('.')}}`,
  query: (path) => `?${path.join('.')}`,
  body: (path) => path.map((step) => `/${String(step).replaceAll('~', '~0').replaceAll('/', '~1')}`).join(''),
};

const bodiless = new Set(['GET', 'HEAD', 'DELETE']);
/** One body can hold a hundred thousand faults; nobody reads more than these. */
const mostFaults = 100;

/** Reads and checks path, query and body. Throws HouseError with every fault of the three at once. */
export async function given(request: Request, schemas: Schemas): Promise<Given> {
  const raw = bodiless.has(request.method) ? {} : await readJson(request);
  const faults: InputFault[] = [];
  const check = (part: keyof Schemas, value: unknown): unknown => {
    const unstored = unstorables(value, pointers[part]);
    if (unstored.length > 0) return void faults.push(...unstored);
    const result = schemas[part].safeParse(value, { error: wording });
    if (result.success) return result.data;
    return void faults.push(...result.error.issues.flatMap((issue) => faultsOf(issue, pointers[part])));
  };
  const params = check('params', { ...request.params });
  const query = check('query', { ...request.query });
  const body = check('body', raw);
  if (faults.length > 0) throw invalid(faults);
  return { params, query, body, raw };
}

/** The problem that lists faults of the input. */
export function invalid(faults: readonly InputFault[]): HouseError {
  const detail = faults
    .map(({ pointer, message }) => `${pointer || 'the body'} ${message}`)
    .slice(0, 3)
    .join('; ');
  const more = faults.length > 3 ? `; and ${faults.length - 3} more` : '';
  return new HouseError('invalid_input', detail + more, { errors: faults.slice(0, mostFaults) });
}

function wording(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code === 'invalid_type') {
    return issue.input === undefined ? 'is needed' : `must be of type ${issue.expected}`;
  }
  if (issue.code === 'too_small' && issue.origin !== 'string') return `must be at least ${issue.minimum}`;
  if (issue.code === 'too_big' && issue.origin !== 'string') return `must be at most ${issue.maximum}`;
  if (issue.code === 'invalid_value') return `must be one of ${issue.values.map(String).join(', ')}`;
  return undefined;
}

function faultsOf(issue: z.core.$ZodIssue, pointer: (path: readonly PropertyKey[]) => string): InputFault[] {
  if (issue.code !== 'unrecognized_keys') return [{ pointer: pointer(issue.path), message: issue.message }];
  return issue.keys.map((key) => ({ pointer: pointer([...issue.path, key]), message: 'is not known here' }));
}

import { Unavailable } from '@homeostat/reconcile';
import { HouseError, type InputFault, type ProblemCode, problems } from '@homeostat/shared';
import { HttpException } from '@nestjs/common';
import { sqlState } from '../database/database';

/** An error as callers see it (RFC 9457); `detail` never holds a stack or SQL. */
export interface Problem {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly code: ProblemCode;
  readonly errors?: readonly InputFault[];
}

export interface Told {
  readonly problem: Problem;
  readonly retryAfterSeconds: number | null;
}

/** What PostgreSQL's refusals mean to a caller, where a service has not said it better itself. */
const refusals: Readonly<Record<string, [ProblemCode, string]>> = {
  '22021': ['invalid_input', 'a text holds characters that cannot be stored'],
  '22P05': ['invalid_input', 'a text holds characters that cannot be stored'],
  '22003': ['invalid_input', 'a number is out of range'],
  '22P02': ['invalid_input', 'a value does not have the form that it needs'],
  '23503': ['conflict', 'it refers to something that does not exist, or something else refers to it'],
  '23505': ['already_exists', 'another one has the same identity'],
  '23514': ['unprocessable', 'a value is outside of what is allowed'],
  '40001': ['unavailable', 'too many changes of the same thing at once'],
  '40P01': ['unavailable', 'too many changes of the same thing at once'],
  '55P03': ['unavailable', 'somebody else is changing it at this moment'],
  '57014': ['unavailable', 'the database took too long'],
};

/** By status: what Nest and Express themselves throw. */
const codes: Readonly<Record<number, ProblemCode>> = {
  400: 'invalid_input',
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not_found',
  405: 'method_not_allowed',
  406: 'not_acceptable',
  413: 'body_too_large',
  415: 'unsupported_media_type',
  429: 'too_many_requests',
  503: 'unavailable',
};

/** Returns the problem that an error is to a caller; null for a fault of ours, about which a caller learns nothing. */
export function problemOf(error: unknown): Told | null {
  if (error instanceof HouseError) {
    return told(error.code, error.detail, error.more.errors, error.more.retryAfterSeconds);
  }
  if (error instanceof Unavailable) return told('unavailable', 'the database cannot be reached just now');
  const [code, detail] = refusals[sqlState(error)] ?? [];
  if (code && detail) return told(code, detail);
  const status = error instanceof HttpException ? error.getStatus() : clientStatus(error);
  const known = codes[status];
  return known ? told(known, error instanceof Error ? error.message : problems[known].title) : null;
}

/** The problem of a fault of ours: `reference` finds it in the log. */
export function faultOfOurs(reference: string): Problem {
  return told('internal', `the fault is in the log of the service, under ${reference}`).problem;
}

function told(code: ProblemCode, detail: string, errors?: readonly InputFault[], retryAfterSeconds?: number): Told {
  const { status, title } = problems[code];
  const later = status === 503 || status === 429 ? (retryAfterSeconds ?? 1) : null;
  const problem = { type: `urn:homeostat:problem:${code}`, title, status, detail, code, ...(errors && { errors }) };
  return { problem, retryAfterSeconds: later };
}

/** Express gives its errors about a request (a path that cannot be decoded, an aborted upload) a status below 500. */
function clientStatus(error: unknown): number {
  const { status } = (error ?? {}) as { status?: unknown };
  if (typeof status === 'number' && status < 500) return status;
  return sqlState(error) === 'ECONNRESET' ? 400 : 500;
}

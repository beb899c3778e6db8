import { problems } from '@homeostat/shared';
import type { RouteInfo } from './route';

/** The schema of every problem. */
export const problem = {
  type: 'object',
  description: 'RFC 9457. `detail` is for people, `code` for programs.',
  required: ['type', 'title', 'status', 'detail', 'code'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { enum: Object.keys(problems) },
    errors: {
      type: 'array',
      description: 'Where: `/name` in the body (RFC 6901), `?limit` in the query, `{id}` in the path, or a header',
      items: {
        type: 'object',
        required: ['pointer', 'message'],
        properties: { pointer: { type: 'string' }, message: { type: 'string' } },
      },
    },
  },
};

const content = { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } };
const later = { 'Retry-After': { schema: { type: 'integer' }, description: 'In how many seconds to come again' } };
const statuses = [...new Set(Object.values(problems).map(({ status }) => status))];

/** The problems by status, with the codes of each. A fault of ours, 500, is promised nowhere. */
export const responses = Object.fromEntries(
  statuses
    .filter((status) => status !== 500)
    .map((status) => {
      const headers = status === 429 || status === 503 ? later : {};
      return [`problem${status}`, { description: codesOf(status), headers, content }];
    }),
);

function codesOf(status: number): string {
  const codes = Object.entries(problems).filter(([, problem]) => problem.status === status);
  return codes.map(([code, { title }]) => `\`${code}\`: ${title}`).join('; ');
}

/** What a route may refuse with, by what it takes: a caller can rely on there being nothing else. */
export function refusals({ method, path, creates }: Pick<RouteInfo, 'method' | 'path' | 'creates'>): object {
  const reads = method === 'GET';
  const isNew = creates && !path.includes(':');
  const all = [
    ...[400, 401, 403],
    ...(isNew ? [] : [404]),
    ...(reads ? [] : [409]),
    ...(method === 'PATCH' || method === 'DELETE' ? [412] : []),
    ...(reads || method === 'DELETE' ? [] : [413, 415, 422]),
    ...[408, 429, 431, 503],
  ];
  return Object.fromEntries(all.map((status) => [status, { $ref: `#/components/responses/problem${status}` }]));
}

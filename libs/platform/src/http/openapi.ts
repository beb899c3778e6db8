import { z } from 'zod';
import { problem, refusals, responses } from './openapi.problems';
import { scopesOf } from './route';
import type { KnownRoute } from './routes';

type Schema = Record<string, unknown>;

/** Returns the OpenAPI 3.1 document of these routes. */
export function openApiOf(routes: readonly KnownRoute[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) {
    const path = route.path.replace(/:(\w+)/g, '{$1}');
    // Of two routes at the same place, the first one answers.
    paths[path] = { [route.method.toLowerCase()]: operation(route), ...paths[path] };
  }
  const tags = [...new Set(routes.map(tagOf))].map((name) => ({ name }));
  return {
    openapi: '3.1.0',
    info: { title: 'Homeostat', version, description },
    tags,
    security: [{ bearer: [] }],
    paths,
    components: { schemas: { Problem: problem }, securitySchemes: { bearer }, responses },
  };
}

const description =
  'State what should be true; it is made so, kept so, and explained. Ids are UUIDv7, times RFC 3339 in UTC, 64-bit ' +
  'numbers strings; unknown is null. Faults of an input are all told at once.';

const bearer = {
  type: 'http',
  scheme: 'bearer',
  bearerFormat: 'JWT',
  description:
    'Claims `sub`, `tenant`, `scope` (read, write, build, peer, admin). Not asked for on loopback by default.',
};

const etag = { ETag: { schema: { type: 'string' }, description: 'For If-Match and If-None-Match' } };
const location = { Location: { schema: { type: 'string' }, description: 'Where it is found' } };

function operation(route: KnownRoute): object {
  const { operation: operationId, summary } = route;
  const body = schemaOf(route.body, 'input');
  const hasBody = Object.keys(body['properties'] ?? body['anyOf'] ?? {}).length > 0;
  return {
    operationId,
    summary,
    description: `Needs the scope ${scopesOf(route)
      .map((scope) => `\`${scope}\``)
      .join(' or ')}.`,
    tags: [tagOf(route)],
    parameters: [...parameters(route.params, 'path'), ...parameters(route.query, 'query'), ...headers(route)],
    ...(hasBody && { requestBody: { required: true, content: { 'application/json': { schema: body } } } }),
    security: scopesOf(route).map((scope) => ({ bearer: [scope] })),
    responses: { ...success(route), ...refusals(route) },
  };
}

function success({ method, path, creates, accepted, answer }: KnownRoute): object {
  if (answer instanceof z.ZodUndefined) return { 204: { description: 'Done' } };
  const content = { 'application/json': { schema: schemaOf(answer, 'output') } };
  const headers = { ...etag, ...(creates && location) };
  if (creates) return { 201: { description: 'Made', headers, content } };
  if (accepted) return { 202: { description: 'The work goes on', headers, content } };
  const known = method === 'GET' && path.includes(':');
  return {
    200: { description: 'The answer', headers, content },
    ...(known && { 304: { description: 'It is as If-None-Match has it', headers } }),
  };
}

function parameters(schema: z.ZodType, place: 'path' | 'query'): object[] {
  const { properties = {}, required = [] } = schemaOf(schema, 'input') as { properties?: Schema; required?: string[] };
  return Object.entries(properties).map(([name, of]) => {
    const { description: about, ...type } = of as Schema;
    return { name, in: place, required: place === 'path' || required.includes(name), description: about, schema: type };
  });
}

function headers({ method, creates }: KnownRoute): object[] {
  const key = {
    name: 'Idempotency-Key',
    in: 'header',
    schema: { type: 'string', minLength: 1, maxLength: 255, pattern: '^[!-~]+$' },
    description: 'The same key and body are given the same answer for 24 hours',
  };
  const match = {
    name: 'If-Match',
    in: 'header',
    schema: { type: 'string' },
    description: 'The ETag of what is to be changed',
  };
  return [...(creates ? [key] : []), ...(method === 'PATCH' || method === 'DELETE' ? [match] : [])];
}

function tagOf({ path }: KnownRoute): string {
  const kind = path.split('/')[2] ?? '';
  return kind.startsWith(':') ? 'every kind' : kind;
}

function schemaOf(schema: z.ZodType, io: 'input' | 'output'): Schema {
  const { $schema: _dialect, ...of } = z.toJSONSchema(schema, { io, unrepresentable: 'any' });
  return of;
}

import { Req, RequestMapping, RequestMethod, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Database } from '../database/database';
import type { Tx } from '../database/tx';
import type { Secrets } from '../secrets/secrets';
import { type Manner, send } from './answer';
import { type Asked, type Given, type Schemas, given } from './asked';
import type { Caller, Scope } from './caller';
import { type Presented, present } from './json';
import { idempotencyKey, runOnce } from './once';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What is told about a route, to callers and to the OpenAPI document. */
export interface RouteSpec<P, Q, B> {
  readonly summary: string;
  /** Any one of these is enough. */
  readonly scope: Scope | readonly Scope[];
  readonly params?: P;
  readonly query?: Q;
  readonly body?: B;
  readonly answer: z.ZodType;
  /** Answers 201 with Location; the path's kind is the kind of what is made. */
  readonly creates?: true;
  /** Answers 202: the work goes on. */
  readonly accepted?: true;
}

export interface RouteInfo extends Schemas, Omit<RouteSpec<unknown, unknown, unknown>, keyof Schemas> {
  readonly method: Method;
  /** In Nest's words: `/v1/projects/:id`. */
  readonly path: string;
}

/** The scopes of which a caller needs one. */
export function scopesOf({ scope }: Pick<RouteInfo, 'scope'>): readonly Scope[] {
  return typeof scope === 'string' ? [scope] : scope;
}

/** A request on its way, as the guard hands it on. */
export type Admitted = Request & { caller: Caller };

type Nothing = z.ZodObject<Record<never, never>, z.core.$strict>;
type Handler<P, Q, B> = (asked: Asked<{ params: P; query: Q; body: B }>) => unknown;

const ROUTE = Symbol('route');
const nothing = z.strictObject({});

/** The route of a controller's method, undefined where it has none. */
export function routeOf(handler: object): RouteInfo | undefined {
  return Reflect.getMetadata(ROUTE, handler) as RouteInfo | undefined;
}

/**
 * Makes a controller's method a route: `@Route('POST /v1/projects', { summary, scope, body, answer, creates: true })`.
 * Its only argument is an Asked; what it returns is the answer, undefined is 204. Parameters are written `:id` or
 * `{id}`. A controller that uses `once` has its service's Database as public `database` and,
 * where its bodies hold secrets, what seals them as public `secrets`.
 */
export function Route<P extends z.ZodType = Nothing, Q extends z.ZodType = Nothing, B extends z.ZodType = Nothing>(
  what: `${Method} /${string}`,
  spec: RouteSpec<P, Q, B>,
) {
  const route = infoOf(what, spec);
  return <H extends Handler<P, Q, B>>(target: object, name: string, descriptor: TypedPropertyDescriptor<H>): void => {
    const handle = descriptor.value as unknown as (asked: unknown) => unknown;
    const bound = async function (this: Host, request: Admitted, response: Response) {
      const exchange = new Exchange(route, request, response, this);
      const answer = await handle.call(this, await exchange.asked());
      exchange.answer(answer);
    };
    descriptor.value = bound as unknown as H;
    Req()(target, name, 0);
    Res()(target, name, 1);
    Reflect.defineMetadata(ROUTE, route, bound);
    RequestMapping({ path: route.path, method: RequestMethod[route.method] })(target, name, descriptor);
  };
}

function infoOf(what: string, spec: RouteSpec<z.ZodType, z.ZodType, z.ZodType>): RouteInfo {
  const [method, path] = what.split(' ') as [Method, string];
  const info = {
    params: nothing,
    query: nothing,
    body: nothing,
    ...spec,
    method,
    path: path.replace(/\{(\w+)\}/g, ':$1'),
  };
  if (info.path.includes(':') && !spec.params) throw new Error(`${what}: its parameters have no schema`);
  return info;
}

/** What a route needs of its controller. */
interface Host {
  readonly database?: Database;
  readonly secrets?: Secrets;
}

/** One request and its answer. */
class Exchange {
  private repeated: Manner | null = null;

  constructor(
    private readonly route: RouteInfo,
    private readonly request: Admitted,
    private readonly response: Response,
    private readonly host: Host,
  ) {}

  async asked(): Promise<Asked> {
    const { request, response } = this;
    const parts = await given(request, this.route);
    return {
      caller: request.caller,
      params: parts.params as object,
      query: parts.query as object,
      body: parts.body as object,
      ifMatch: request.headers['if-match'] ?? null,
      get signal() {
        return goneSignal(response);
      },
      once: (work) => this.once(parts, work),
    };
  }

  answer(answer: unknown): void {
    if (this.repeated) this.response.setHeader('Idempotency-Replayed', 'true');
    send(this.request, this.response, this.repeated ?? this.manner(answer), answer);
  }

  private async once<T extends object>(parts: Given, work: (tx: Tx) => Promise<T>): Promise<Presented<T>> {
    const { request } = this;
    const { database, secrets } = this.host;
    if (!database) throw new Error(`${this.route.path}: its controller has no public member "database"`);
    const key = idempotencyKey(request.get('idempotency-key'));
    if (key === null) return present(await database.transaction(work, request.caller.subject));
    const asking = {
      tenant: request.caller.tenant,
      subject: request.caller.subject,
      key,
      method: request.method,
      url: request.originalUrl,
      body: parts.raw,
      secrets,
    };
    const { answer, repeated } = await runOnce(database, asking, (made) => this.manner(made), work);
    this.repeated = repeated;
    return answer;
  }

  private manner(answer: unknown): Manner {
    const { creates, accepted, path } = this.route;
    const id = (answer as { id?: string } | undefined)?.id;
    const location = creates && id !== undefined ? `/v1/${path.split('/')[2]}/${id}` : null;
    return { status: creates ? 201 : accepted ? 202 : 200, location };
  }
}

function goneSignal(response: Response): AbortSignal {
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  return gone.signal;
}

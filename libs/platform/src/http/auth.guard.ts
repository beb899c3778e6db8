import { HouseError } from '@homeostat/shared';
import { type CanActivate, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { Log } from '../logs';
import { type Caller, ownMachine } from './caller';
import { type HttpSettings, isLoopback } from './http.settings';
import { Limits, addressOf } from './limits';
import { type Admitted, routeOf, scopesOf } from './route';
import { type CheckToken, tokenCheck } from './tokens';

const OPEN = 'homeostat:open';

/** Marks a controller that needs no token: probes, metrics, the API's description. */
export const Open = () => SetMetadata(OPEN, true);

/** Lets in who may call a route, and hands on who it is. A handler without `@Route` is closed, unless it is `@Open`. */
export class AuthGuard implements CanActivate {
  private readonly check: CheckToken | null;
  private readonly limits: Limits;
  private readonly loopback: boolean;

  constructor(
    settings: HttpSettings,
    private readonly log: Log,
  ) {
    this.check = tokenCheck(settings);
    this.limits = new Limits(settings);
    this.loopback = isLoopback(settings.RECONCILER_HTTP_HOST);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || Reflect.getMetadata(OPEN, context.getClass())) return true;
    const route = routeOf(context.getHandler());
    if (!route) return false;
    const request = context.switchToHttp().getRequest<Admitted>();
    const response = context.switchToHttp().getResponse<Response>();
    request.caller = this.check ? await this.authenticated(request, response, this.check) : this.local(request);
    this.limits.called(request.caller, request);
    const wanted = scopesOf(route);
    if (wanted.some((scope) => request.caller.scopes.has(scope))) return true;
    response.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${wanted.join(' ')}"`);
    const refusal = new HouseError(
      'forbidden',
      `the scope ${wanted.map((scope) => `"${scope}"`).join(' or ')} is needed`,
    );
    this.note(request, refusal);
    throw refusal;
  }

  private async authenticated(request: Request, response: Response, check: CheckToken): Promise<Caller> {
    try {
      return await authenticated(request, response, check);
    } catch (error) {
      if (!(error instanceof HouseError) || error.code !== 'unauthenticated') throw error;
      // Before the line in the log: whoever fails without end does not fill it.
      this.limits.refused(request);
      this.note(request, error);
      throw error;
    }
  }

  /** Who was refused what, and why; never a token, nor the query. */
  private note(request: Request & { readonly caller?: Caller }, { code, detail }: HouseError): void {
    const { method, path, caller } = request;
    const who = { address: addressOf(request), subject: caller?.subject, tenant_id: caller?.tenant };
    this.log.warn({ ...who, method, path, code, detail }, 'refused');
  }

  /**
   * Without tokens, any web page in a browser on this machine could call us: by a form, or by a name of its own that
   * it lets point here. So pages must be our own, and on loopback the name must be one of loopback.
   */
  private local(request: Request): Caller {
    const host = request.headers.host ?? '';
    const { origin } = request.headers;
    if (origin !== undefined && origin !== `http://${host}` && origin !== `https://${host}`) {
      throw new HouseError('forbidden', `pages from ${origin} may not call this service`);
    }
    if (this.loopback && !isLoopback(host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1'))) {
      throw new HouseError('forbidden', `this service is not known as ${host}: call it as localhost`);
    }
    return ownMachine;
  }
}

async function authenticated(request: Request, response: Response, check: CheckToken): Promise<Caller> {
  const [, token] = /^bearer +(\S+)$/i.exec(request.headers.authorization ?? '') ?? [];
  response.setHeader('WWW-Authenticate', token ? 'Bearer error="invalid_token"' : 'Bearer realm="homeostat"');
  if (!token) throw new HouseError('unauthenticated', 'send a token: Authorization: Bearer …');
  const caller = await check(token);
  response.removeHeader('WWW-Authenticate');
  return caller;
}

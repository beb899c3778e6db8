import { HouseError } from '@homeostat/shared';
import { type CanActivate, type ExecutionContext, SetMetadata } from '@nestjs/common';
import type { Request, Response } from 'express';
import { type Caller, ownMachine } from './caller';
import { type HttpSettings, isLoopback } from './http.settings';
import { type Admitted, routeOf, scopesOf } from './route';
import { type CheckToken, tokenCheck } from './tokens';

const OPEN = 'homeostat:open';

/** Marks a controller that needs no token: probes, metrics, the API's description. */
export const Open = () => SetMetadata(OPEN, true);

/** Lets in who may call a route, and hands on who it is. A handler without `@Route` is closed, unless it is `@Open`. */
export class AuthGuard implements CanActivate {
  private readonly check: CheckToken | null;
  private readonly loopback: boolean;

  constructor(settings: HttpSettings) {
    this.check = tokenCheck(settings);
    this.loopback = isLoopback(settings.RECONCILER_HTTP_HOST);
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http' || Reflect.getMetadata(OPEN, context.getClass())) return true;
    const route = routeOf(context.getHandler());
    if (!route) return false;
    const request = context.switchToHttp().getRequest<Admitted>();
    const response = context.switchToHttp().getResponse<Response>();
    request.caller = this.check ? await authenticated(request, response, this.check) : this.local(request);
    const wanted = scopesOf(route);
    if (wanted.some((scope) => request.caller.scopes.has(scope))) return true;
    response.setHeader('WWW-Authenticate', `Bearer error="insufficient_scope", scope="${wanted.join(' ')}"`);
    throw new HouseError('forbidden', `the scope ${wanted.map((scope) => `"${scope}"`).join(' or ')} is needed`);
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

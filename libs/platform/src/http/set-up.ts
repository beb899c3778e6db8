import type { NestExpressApplication } from '@nestjs/platform-express';
import { schemaCheck } from '../database/schema';
import type { Wing } from '../house.module';
import type { Log } from '../logs';
import { witnessRequests } from '../telemetry/requests';
import { AuthGuard } from './auth.guard';
import type { Changes } from './changes';
import { protectiveHeaders } from './headers';
import type { HttpSettings } from './http.settings';
import { KindDesks } from './kind.desk';
import { ReadinessChecks } from './probes.controller';
import { ProblemFilter } from './problem.filter';
import { Routes } from './routes';

export interface HttpParts {
  readonly settings: HttpSettings;
  readonly changes: Changes;
  readonly log: Log;
  readonly wings: readonly Pick<Wing, 'service' | 'database' | 'looks'>[];
}

/**
 * Sets up guard, problems, desks and probes of an application that imports HttpModule, before it listens. It is created
 * with `bodyParser: false`: routes read their bodies themselves, after the caller was let in.
 */
export function setUpHttp(app: NestExpressApplication, { settings, changes, log, wings }: HttpParts): void {
  const routes = app.get(Routes, { strict: false });
  app.disable('x-powered-by');
  app.set('etag', false);
  app.set('trust proxy', settings.RECONCILER_TRUST_PROXY ?? false);
  app.use(witnessRequests(log));
  app.use(protectiveHeaders());
  app.useGlobalGuards(new AuthGuard(settings, log));
  app.useGlobalFilters(new ProblemFilter((path) => routes.methodsOf(path), log));
  const desks = app.get(KindDesks, { strict: false });
  for (const { looks } of wings) desks.open(looks());
  const checks = wings.map(({ service, database }) => ({
    name: `database of ${service.name}`,
    check: schemaCheck(database),
  }));
  const process = { name: 'process', check: async () => (changes.closed ? 'it is shutting down' : null) };
  app.get(ReadinessChecks, { strict: false }).add(process, ...checks);
  if (settings.RECONCILER_AUTH === 'none')
    log.warn('RECONCILER_AUTH=none: whoever reaches this port may do everything');
  if (settings.RECONCILER_AUTH_JWKS_URL?.startsWith('http:'))
    log.warn('RECONCILER_AUTH_JWKS_URL is not https: whoever is on the way to it can sign tokens');
}

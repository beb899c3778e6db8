import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NextFunction, Request, Response } from 'express';
import { schemaCheck } from '../database/schema';
import type { Wing } from '../house.module';
import type { Log } from '../logs';
import { AuthGuard } from './auth.guard';
import type { Changes } from './changes';
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
  app.use((_request: Request, response: Response, next: NextFunction) => {
    response.setHeader('X-Content-Type-Options', 'nosniff');
    next();
  });
  app.useGlobalGuards(new AuthGuard(settings));
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
}

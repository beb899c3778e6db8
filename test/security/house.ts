import { services } from '@homeostat/homeostat';
import { type Running, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Router } from 'express';

const preset = {
  RECONCILER_HTTP_PORT: '0',
  RECONCILER_LOG_LEVEL: 'error',
  RECONCILER_RATE_LIMIT: '0',
  RECONCILER_SIMULATED_LATENCY_MS: '10',
};

/** All services in one process, on a database of their own. */
export interface OpenHouse {
  readonly url: string;
  readonly database: TestDatabase;
  /** Every route that Express was told of, as `GET /v1/projects/{id}`. */
  readonly registered: readonly string[];
  close(): Promise<void>;
}

export async function openHouse(settings: Readonly<Record<string, string>>): Promise<OpenHouse> {
  const database = await testDatabase();
  await database.sql(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
  const created = jest.spyOn(NestFactory, 'create');
  const running: Running = await serve(services, { ...preset, RECONCILER_DATABASE_URL: database.url, ...settings });
  const app = (await created.mock.results[0]!.value) as NestExpressApplication;
  created.mockRestore();
  const close = async (): Promise<void> => {
    await running.stop();
    await database.close();
  };
  return { url: running.url, database, registered: registeredIn(app), close };
}

function registeredIn(app: NestExpressApplication): string[] {
  const { router } = app.getHttpAdapter().getInstance() as { router: Router };
  return router.stack.flatMap(({ route }) => {
    const path = route?.path.replace(/:(\w+)/g, '{$1}');
    return (route?.stack ?? []).map(({ method }) => `${method.toUpperCase()} ${path}`);
  });
}

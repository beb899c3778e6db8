import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { Controller, Get } from '@nestjs/common';
import { v7 as uuidv7 } from 'uuid';
import { Database } from './database/database';
import { Open } from './http/auth.guard';
import { serve } from './serve';
import { defineService } from './service';

let server: TestDatabase;
let goOn: () => void;
let asked: () => void;

@Open()
@Controller()
class SlowController {
  constructor(private readonly database: Database) {}

  @Get('/slow')
  async answer(): Promise<object> {
    const may = new Promise<void>((resolve) => (goOn = resolve));
    asked();
    await may;
    const subject = uuidv7();
    await this.database.transaction(async (tx) => {
      tx.emit('vm.deleted', { tenant_id: 'default', subject, version: '1', data: { vm_id: subject } });
    });
    return {};
  }
}

const service = defineService({
  name: 'north-svc',
  role: 'homeostat_vm_pool',
  port: 0,
  settings: {},
  controllers: [SlowController],
  reconcilers: [],
} as const);

beforeAll(async () => {
  server = await testDatabase();
});
afterAll(() => server.close());

it('answers what is under way when it is stopped, and sends the events of that, before it closes the database', async () => {
  const running = await serve([service], {
    RECONCILER_DATABASE_URL: server.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
  });
  const isAsked = new Promise<void>((resolve) => (asked = resolve));
  const answer = fetch(`${running.url}/slow`);
  await isAsked;
  const stopped = running.stop();
  // Until it has stopped listening.
  while (
    await fetch(`${running.url}/healthz`).then(
      () => true,
      () => false,
    )
  );
  goOn();
  expect((await answer).status).toBe(200);
  await stopped;
  expect(await server.sql('SELECT FROM outbox')).toEqual([]);
});

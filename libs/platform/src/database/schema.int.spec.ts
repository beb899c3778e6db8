import { schemaVersion } from '@homeostat/shared';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { Database } from './database';
import { schemaCheck } from './schema';

describe('the check of the schema', () => {
  let postgres: TestDatabase;
  let database: Database;

  beforeAll(async () => {
    postgres = await testDatabase();
    database = new Database({ url: postgres.url, application: 'test', role: 'homeostat_vm_pool', connections: 2 });
  });

  afterAll(async () => {
    await database.close();
    await postgres.close();
  });

  test('a process that could work with the schema still can after newer migrations; one that starts then cannot', async () => {
    const check = schemaCheck(database);
    expect(await check()).toBeNull();
    await postgres.sql(`INSERT INTO schema_migration (timestamp, name) VALUES (9763700000099, 'Later9763700000099')`);
    expect(await check()).toBeNull();
    expect(await schemaCheck(database)()).toContain('Later9763700000099, which this version does not know');
    await postgres.sql(`DELETE FROM schema_migration WHERE name = 'Later9763700000099'`);
  });

  test('a schema that was put back to an older one is no good to anyone', async () => {
    const check = schemaCheck(database);
    expect(await check()).toBeNull();
    await postgres.sql('DELETE FROM schema_migration WHERE name = $1', [schemaVersion]);
    expect(await check()).toContain(`the schema lacks ${schemaVersion}`);
  });
});

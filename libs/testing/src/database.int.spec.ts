import { testDatabase } from './database';

// The first of a run makes the template, perhaps on a busy machine.
jest.setTimeout(30_000);

describe('testDatabase', () => {
  it('gives each test a migrated database of its own', async () => {
    const [one, other] = await Promise.all([testDatabase(), testDatabase()]);
    try {
      await one.sql('CREATE TABLE only_here (id integer)');
      const tables = `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`;
      const names = (await other.sql<{ table_name: string }>(tables)).map((row) => row.table_name);
      expect(names).toContain('reconcile_status');
      expect(names).not.toContain('only_here');
    } finally {
      await one.close();
      await other.close();
    }
  });

  it('drops the database while others are connected', async () => {
    const database = await testDatabase();
    const admin = await testDatabase();
    const [name] = await database.sql<{ current_database: string }>('SELECT current_database()');
    await database.close();
    const left = await admin.sql('SELECT FROM pg_database WHERE datname = $1', [name!.current_database]);
    expect(left).toHaveLength(0);
    await admin.close();
  });
});

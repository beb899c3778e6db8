import { Database } from '@homeostat/platform';
import type { ServiceRole } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';

/** Makes regions where there is none at all, so that the pool can begin without anybody's help. */
export async function makeFirstRegions(url: string, names: readonly string[]): Promise<void> {
  await once(url, 'homeostat_vm_pool', (database) =>
    database.query(
      `INSERT INTO region (id, tenant_id, name)
       SELECT r.id, 'system', r.name FROM unnest($1::uuid[], $2::text[]) AS r (id, name) WHERE NOT EXISTS (SELECT FROM region)
       ON CONFLICT (name) DO NOTHING`,
      [names.map(() => uuidv7()), names],
    ),
  );
}

/** Drops all tables, as they are before the first migration. */
export async function forgetEverything(url: string): Promise<void> {
  await once(url, null, (database) => database.query('DROP SCHEMA public CASCADE'));
  await once(url, null, (database) => database.query('CREATE SCHEMA public'));
}

async function once(
  url: string,
  role: ServiceRole | null,
  work: (database: Database) => Promise<unknown>,
): Promise<void> {
  const database = new Database({ url, role, application: 'homeostat', connections: 1 });
  try {
    await work(database);
  } finally {
    await database.close();
  }
}

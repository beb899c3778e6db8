import { Database } from '@homeostat/platform';
import { v7 as uuidv7 } from 'uuid';

/** Makes the region `local` where there is none, so that the pool can begin without anybody's help. */
export async function makeFirstRegion(url: string): Promise<void> {
  const database = new Database({ url, role: 'homeostat_vm_pool', application: 'homeostat', connections: 1 });
  try {
    await database.query(
      `INSERT INTO region (id, tenant_id, name) SELECT $1, 'system', 'local' WHERE NOT EXISTS (SELECT FROM region)
       ON CONFLICT (name) DO NOTHING`,
      [uuidv7()],
    );
  } finally {
    await database.close();
  }
}

import { entities, migrations } from '@homeostat/shared';
import { DataSource } from 'typeorm';

/** Chosen once, at random: whoever migrates this database holds the advisory lock of this number. */
const MIGRATION_LOCK = 7_614_226_035;

/**
 * Brings the schema to the newest version; returns the names of the migrations that were applied. Several processes
 * may start this at once: one works, the others wait and find nothing left to do. A migration that fails leaves nothing.
 */
export async function migrate(url: string): Promise<string[]> {
  const source = new DataSource({
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsTableName: 'schema_migration',
    migrationsTransactionMode: 'each',
    installExtensions: false,
  });
  await source.initialize();
  try {
    const guard = source.createQueryRunner();
    await guard.query('SELECT pg_advisory_lock($1)', [MIGRATION_LOCK]);
    try {
      return (await source.runMigrations()).map(({ name }) => name);
    } finally {
      await guard.query('SELECT pg_advisory_unlock($1)', [MIGRATION_LOCK]);
      await guard.release();
    }
  } finally {
    await source.destroy();
  }
}

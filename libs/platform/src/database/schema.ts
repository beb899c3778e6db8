import { migrations, schemaVersion } from '@homeostat/shared';
import { type Database, sqlState } from './database';

/**
 * Asks why this process cannot work with the database's schema; null when it can. One that could work once still can
 * after newer migrations: those leave the version before them at work (docs/checklists/add-a-service.md), so that an
 * upgrade may replace one process after the other.
 */
export function schemaCheck(database: Database): () => Promise<string | null> {
  let known = false;
  return async () => {
    const applied = await appliedMigrations(database);
    const fault = known && applied.includes(schemaVersion) ? null : faultOf(applied);
    known = fault === null;
    return fault;
  };
}

function faultOf(applied: readonly string[]): string | null {
  const unknown = applied.filter((name) => !migrations.some((migration) => migration.name === name));
  if (unknown.length > 0)
    return `the schema has ${unknown.join(', ')}, which this version does not know: run a newer one`;
  if (!applied.includes(schemaVersion))
    return `the schema lacks ${schemaVersion}: run \`npm run homeostat -- migrate\``;
  return null;
}

async function appliedMigrations(database: Database): Promise<string[]> {
  try {
    return (await database.query<{ name: string }>('SELECT name FROM schema_migration ORDER BY id')).map(
      ({ name }) => name,
    );
  } catch (error) {
    if (isUnmigrated(error)) return [];
    throw error;
  }
}

/** No such table yet (42P01), or no such role to connect as (22023, 42704). */
function isUnmigrated(error: unknown): boolean {
  return ['42P01', '22023', '42704'].includes(sqlState(error));
}

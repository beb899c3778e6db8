import { type Asked, Database, Route } from '@homeostat/platform';
import { HouseError } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { versionKey } from '../search/version-key';
import { type RecordRow, recordColumns, recordItem } from './record.answer';

const nameParams = z.strictObject({ name: z.string().min(1, 'is empty').max(2_000, 'is too long') });

/** Names of records, and what they stand for. */
@Controller()
export class ResolveController {
  constructor(private readonly database: Database) {}

  @Route('GET /v1/resolve/{name}', {
    summary:
      'Finds the record of `name:version`, or that of `name` with the highest version by semver; percent-encode the name',
    scope: 'read',
    params: nameParams,
    answer: recordItem,
  })
  async resolve({ params: { name } }: Asked<{ params: typeof nameParams }>) {
    // A name may have a colon itself; a version has no slash.
    const [, named, version] = /^(.+):([^:/]+)$/s.exec(name) ?? [];
    const row = (await this.best(name, null)) ?? (version && (await this.best(named!, version)));
    if (row) return row;
    throw new HouseError('not_found', `there is no record ${name}`);
  }

  /** Of several records the highest version; of equal ones the latest, by their own word. */
  private async best(name: string, version: string | null): Promise<RecordRow | undefined> {
    const key = version === null || version.includes('+') ? '' : versionKey(version);
    const [row] = await this.database.query<RecordRow>(
      `SELECT ${recordColumns} FROM record r
       WHERE r.status = 'indexed' AND left(lower(r.name), 512) = left(lower($1), 512) AND lower(r.name) = lower($1)
         AND ($2::text IS NULL OR lower(r.version) = lower($2) OR ($3 <> '' AND r.version_key = $3))
       ORDER BY r.version_key DESC, r.authored_at DESC, r.cid LIMIT 1`,
      [name, version, key],
    );
    return row;
  }
}

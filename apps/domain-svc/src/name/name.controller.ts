import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  idParams,
  listOf,
  listQuery,
  page,
  readOne,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { nameStates } from '@homeostat/shared';
import { Controller } from '@nestjs/common';
import { z } from 'zod';
import { type NameRow, nameAnswer, nameColumns, shown } from './name.answer';
import { askFor } from './name.writes';

const listed = listQuery(['domain'], { status: z.enum(nameStates).optional() });
const waiting = waitQuery(nameStates);
const from = { from: 'name_verification', kind: 'name-verifications', columns: nameColumns } as const;

/** Who vouches for the names of records. They are one for all tenants, as the records are. */
@Controller()
export class NameController {
  constructor(
    private readonly database: Database,
    private readonly changes: Changes,
    desks: KindDesks,
  ) {
    desks.showBy('name-verifications', (id) => this.one(id));
  }

  @Route('GET /v1/name-verifications', {
    summary: 'Lists verifications of the names of signed records, newest record first',
    scope: 'read',
    query: listed,
    answer: page(nameAnswer),
  })
  async list({ query }: Asked<{ query: typeof listed }>) {
    const list = { ...from, caller: null, query, filters: ['status', 'domain'] };
    const { items, next_cursor } = await listOf<NameRow>(this.database, list);
    return { items: items.map(shown), next_cursor };
  }

  @Route('GET /v1/name-verifications/{id}', {
    summary: 'Reads the verification of a name by the id of its record; `wait` answers once it has that status',
    scope: 'read',
    params: idParams,
    query: waiting,
    answer: nameAnswer,
  })
  read({ params, query, signal }: Asked<{ params: typeof idParams; query: typeof waiting }>) {
    return waitFor({
      read: () => this.one(params.id),
      wanted: query.wait,
      isFinal: () => false,
      timeoutMs: query.timeout,
      signal,
      changes: this.changes,
    });
  }

  @Route('POST /v1/name-verifications/{id}/check', {
    summary: 'Has the proof of a name looked for at once, at most every 10 seconds',
    scope: 'admin',
    params: idParams,
    answer: nameAnswer,
    accepted: true,
  })
  async check({ caller, params: { id } }: Asked<{ params: typeof idParams }>) {
    await this.database.transaction((tx) => askFor(tx, id), caller.subject);
    return this.one(id);
  }

  private async one(id: string) {
    return shown(await readOne<NameRow>(this.database, from, id, null));
  }
}

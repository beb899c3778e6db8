import {
  type Asked,
  Changes,
  Database,
  KindDesks,
  Route,
  SETTINGS,
  Secrets,
  afterCursor,
  checkIfMatch,
  cursorOf,
  idParams,
  listOf,
  listQuery,
  page,
  pageOf,
  readOne,
  waitFor,
  waitQuery,
} from '@homeostat/platform';
import { syncStates } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { SyncSettings } from '../sync.config';
import {
  type SyncRecordRow,
  type SyncRow,
  shown,
  syncAnswer,
  syncColumns,
  syncItem,
  syncRecordAnswer,
} from './sync.answer';
import { create, remove } from './sync.intents';
import { newSync } from './sync.schema';

const from = { from: 'sync', kind: 'syncs', columns: syncColumns } as const;
const listed = listQuery([], { status: z.enum(syncStates).optional() });
const records = listQuery([], { state: syncRecordAnswer.shape.state.optional() });
const waiting = waitQuery(syncStates);
const FIRST_RECORDS = 100;

type OfOne = Asked<{ params: typeof idParams }>;

/** Syncs: what is to be mirrored from other directories into our registry (spec 2, "Sync"). */
@Controller()
export class SyncController {
  readonly secrets: Secrets;

  constructor(
    readonly database: Database,
    private readonly changes: Changes,
    @Inject(SETTINGS) settings: SyncSettings,
    desks: KindDesks,
  ) {
    this.secrets = new Secrets(settings.RECONCILER_SECRETS_KEY);
    // The row itself has what was told in confidence, if sealed.
    desks.showBy('syncs', (id, caller) => this.one(caller, id));
  }

  @Route('POST /v1/syncs', {
    summary: 'Have records of another directory, or registry, copied into ours, once',
    scope: 'write',
    body: newSync,
    answer: syncAnswer,
    creates: true,
  })
  create({ caller, body, once }: Asked<{ body: typeof newSync }>) {
    return once(async (tx) => {
      const { id } = await create(tx, caller, body, this.secrets);
      return this.one(caller, id, tx);
    });
  }

  @Route('GET /v1/syncs', {
    summary: 'List syncs, newest first',
    scope: 'read',
    query: listed,
    answer: page(syncItem),
  })
  async list({ caller, query }: Asked<{ query: typeof listed }>) {
    const { items, next_cursor } = await listOf<SyncRow>(this.database, {
      ...from,
      caller,
      query,
      filters: ['status'],
    });
    return { items: items.map(shown), next_cursor };
  }

  @Route('GET /v1/syncs/{id}', {
    summary: 'Read a sync; `wait` answers once it has that status, or has ended',
    scope: 'read',
    params: idParams,
    query: waiting,
    answer: syncAnswer,
  })
  read({ caller, params: { id }, query, signal }: Asked<{ params: typeof idParams; query: typeof waiting }>) {
    return waitFor({
      read: () => this.one(caller, id),
      wanted: query.wait,
      isFinal: ({ finished_at }) => finished_at !== null,
      timeoutMs: query.timeout,
      signal,
      changes: this.changes,
    });
  }

  @Route('GET /v1/syncs/{id}/records', {
    summary: 'The records of a sync, by their CIDs',
    scope: 'read',
    params: idParams,
    query: records,
    answer: page(syncRecordAnswer),
  })
  async records({ caller, params: { id }, query }: Asked<{ params: typeof idParams; query: typeof records }>) {
    await readOne(this.database, from, id, caller);
    const { state = null, limit, cursor } = query;
    const identity = ['sync records', id, state];
    const rows = await this.database.query<SyncRecordRow>(
      `SELECT ${recordColumns} FROM sync_record
       WHERE sync_id = $1 AND cid > $2 AND ($3::text IS NULL OR state = $3) ORDER BY cid LIMIT $4`,
      [id, Buffer.from(afterCursor(identity, cursor) ?? '', 'hex').toString(), state, limit + 1],
    );
    return pageOf(rows, limit, ({ cid }) => cursorOf(identity, Buffer.from(cid).toString('hex')));
  }

  @Route('DELETE /v1/syncs/{id}', {
    summary: 'Delete a sync: one that is under way stops within a second; what it has copied stays',
    scope: 'write',
    params: idParams,
    answer: z.undefined(),
  })
  async delete({ caller, params: { id }, ifMatch }: OfOne) {
    const sync = await this.one(caller, id);
    checkIfMatch(ifMatch, sync);
    const generation = ifMatch === null ? null : sync.generation;
    await this.database.transaction((tx) => remove(tx, caller, id, generation), caller.subject);
  }

  private async one(caller: Asked['caller'], id: string, on: Pick<Database, 'query'> = this.database) {
    const row = await readOne<SyncRow>(on, { ...from, columns: [...syncColumns, 'cids'] }, id, caller);
    const records = await on.query<SyncRecordRow>(
      `(SELECT ${recordColumns} FROM sync_record WHERE sync_id = $1 AND state = 'failed' ORDER BY cid LIMIT ${FIRST_RECORDS})
       UNION ALL (SELECT ${recordColumns} FROM sync_record WHERE sync_id = $1 AND state <> 'failed' ORDER BY cid LIMIT ${FIRST_RECORDS})
       LIMIT ${FIRST_RECORDS}`,
      [id],
    );
    return { ...shown({ ...row, paused: row.paused ?? false }), records };
  }
}

const recordColumns = 'cid, state, tries, reason, message';

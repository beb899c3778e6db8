import { type Lease, StaleLeases } from '@homeostat/reconcile';
import { type TestDatabase, rowsRead, testDatabase, until } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { Database } from './database';
import { PostgresNotebook, dueOf } from './notebook';
import type { Tx } from './tx';

let house: TestDatabase;
let database: Database;
let notebook: PostgresNotebook;

beforeAll(async () => {
  house = await testDatabase();
});
beforeEach(() => {
  database = new Database({ url: house.url, role: 'homeostat_domain', application: 'domain-svc', connections: 1 });
  notebook = new PostgresNotebook(database, 'a test');
});
afterEach(() => database.close());
afterAll(() => house.close());

const settled = {
  outcome: 'settled',
  step: null,
  because: 'a test',
  fix: null,
  dueAt: null,
  failures: 0,
  tookMs: 1,
} as const;

test('an epoch that a crash of the server forgot is not given out again', async () => {
  const [before, after] = ['before', 'after'].map((holder) => new PostgresNotebook(database, holder));
  const key = uuidv7();
  await before!.request('domains', [key]);
  const [forgotten] = await before!.claim('domains', 1, 60_000);
  await house.sql(
    `UPDATE reconcile_status SET lease_epoch = 0, lease_holder = NULL, lease_until = NULL WHERE key = '${key}'`,
  );
  const [taken] = await after!.claim('domains', 1, 60_000);
  expect(taken).toMatchObject({ key });
  const write = (lease: Lease) => database.transaction(async (tx) => tx.record('domains', [{ lease, ...settled }]));
  await expect(write(forgotten!)).rejects.toThrow(StaleLeases);
  await write(taken!);
});

/** Ends looks, and claims what is due next. */
function endAndClaim(
  leases: readonly Lease[],
  { always = true, dueAt = null as Date | null, wish = (_: Tx): void => {} },
  claimed: (keys: string[]) => void,
): Promise<void> {
  const results = leases.map((lease) => ({ lease, ...settled, dueAt }));
  return notebook.transaction(async (tx) => {
    wish(tx);
    notebook.record(tx, 'domains', results, {
      limit: 10,
      leaseMs: 60_000,
      always,
      claimed: (next) => claimed(next.map(({ key }) => key)),
    });
  });
}

describe('the end of a pass', () => {
  let [one, other]: string[] = [];
  let lease: Lease;

  beforeEach(async () => {
    await house.sql('TRUNCATE reconcile_status');
    [one, other] = [uuidv7(), uuidv7()];
    await notebook.request('domains', [one]);
    [lease] = (await notebook.claim('domains', 1, 60_000)) as [Lease];
    await notebook.request('domains', [one, other]);
  });

  test('claims what is due, what was wished for meanwhile, too', async () => {
    let claimed: string[] = [];
    await endAndClaim([lease], {}, (keys) => (claimed = keys));
    expect(claimed.toSorted()).toEqual([one, other]);
    expect(await notebook.claim('domains', 10, 60_000)).toEqual([]);
  });

  test('claims, though nobody told this process of more, what somebody wished for meanwhile', async () => {
    let claimed: string[] = [];
    await endAndClaim([lease], { always: false }, (keys) => (claimed = keys));
    expect(claimed).toContain(one);
  });

  test.each([
    ['claims', 'is due at once', new Date(0), 2],
    ['claims nothing', 'is due later', new Date(Date.now() + 3_600_000), 0],
    ['claims nothing', 'rests', null, 0],
  ])('%s of what others wished for where what it wrote down %s', async (_, __, dueAt, count) => {
    await house.sql('UPDATE reconcile_status SET due_at = $1, generation = 1 WHERE key = $2', [dueAt, one]);
    let claimed: string[] = [];
    await endAndClaim([lease], { always: false, dueAt }, (keys) => (claimed = keys));
    expect(claimed).toHaveLength(count);
  });

  test.each([
    ['claims where a wish of the pass is for its own kind', 'domains', 1],
    ['claims nothing where it is for another kind', 'name-verifications', 0],
  ] as const)('%s', async (_, kind, count) => {
    await house.sql('DELETE FROM reconcile_status WHERE key = $1', [other]);
    await house.sql('UPDATE reconcile_status SET generation = 1 WHERE key = $1', [one]);
    let claimed: string[] = [];
    const wish = (tx: Tx): void => tx.look(kind, other!);
    await endAndClaim([lease], { always: false, wish }, (keys) => (claimed = keys));
    expect(claimed).toHaveLength(count);
  });

  test('asks for more in any case after more than a few looks', async () => {
    const more = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
    await house.sql('TRUNCATE reconcile_status');
    await notebook.request('domains', more);
    const leases = await notebook.claim('domains', 4, 60_000);
    await notebook.request('domains', [more[2]!]);
    let claimed: string[] = [];
    await endAndClaim(leases, { always: false }, (keys) => (claimed = keys));
    expect(claimed).toEqual([more[2]]);
  });

  test('claims nothing where its own lease was lost', async () => {
    await house.sql('UPDATE reconcile_status SET lease_epoch = lease_epoch + 1 WHERE lease_holder IS NOT NULL');
    const claimed = jest.fn();
    await expect(endAndClaim([lease], {}, claimed)).rejects.toThrow(StaleLeases);
    expect(claimed).not.toHaveBeenCalled();
    expect(
      await house.sql(`SELECT key FROM reconcile_status WHERE key = '${other}' AND lease_holder IS NULL`),
    ).toHaveLength(1);
  });

  test.each([
    ['waits for the disk with what it did, though it claims', 1, false, 'local'],
    ['waits for the disk with what it did, and claims nothing', 0, false, 'local'],
    ['waits for no disk where it only claims', 1, true, 'off'],
    ['waits for no disk where nothing else was done', 0, true, 'off'],
    ['waits for the disk with what it did, where nothing was worth a claim', -1, false, 'local'],
    ['waits for no disk where nothing was worth a claim', -1, true, 'off'],
  ])('%s', async (_, limit, unwaited, setting) => {
    const settings = await database.transaction(async (tx) => {
      const none = `'{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}'`;
      await tx.query(`SELECT set_config('synchronous_commit', 'local', true)`);
      await tx.query(`SELECT * FROM note_and_claim(${none}, 'domains', $1, 'a test', 1000, $2)`, [limit, unwaited]);
      return tx.query(`SELECT current_setting('synchronous_commit') AS setting`);
    });
    expect(settings).toEqual([{ setting }]);
  });
});

test('a wish for a row that another adds at the same moment is kept', async () => {
  const key = uuidv7();
  const other = new Database({ url: house.url, role: 'homeostat_domain', application: 'other', connections: 1 });
  let noted: Promise<void> | undefined;
  await other.transaction(async (tx) => {
    await tx.query('SELECT request_look($1, $2)', ['domains', [key]]);
    noted = database.transaction(async (ours) => ours.look('domains', key));
    const waiting = `SELECT FROM pg_stat_activity WHERE application_name = 'domain-svc' AND wait_event_type = 'Lock'`;
    await until('the wish waits for the other', async () => (await house.sql(waiting)).length > 0);
  });
  await noted;
  await other.close();
  expect(await house.sql(`SELECT generation FROM reconcile_status WHERE key = '${key}'`)).toEqual([
    { generation: '2' },
  ]);
});

/** How many rows of the notebook `work` reads. */
async function rowsReadBy(work: () => Promise<unknown>): Promise<number> {
  const before = await rowsRead(house, 'reconcile_status');
  await work();
  await database.query('SELECT pg_stat_force_next_flush()');
  return (await rowsRead(house, 'reconcile_status')) - before;
}

test('what is due much later is not read by claims and pulses, nor more of it by the audit than its slice', async () => {
  await house.sql(`WITH made AS (
      INSERT INTO domain (id, tenant_id, name, token, window_ends_at)
      SELECT gen_random_uuid(), 'default', n || '.example', '', now() FROM generate_series(1, 20000) AS n RETURNING id)
    INSERT INTO reconcile_status (kind, key, due_at, rank_at)
    SELECT 'domains', id, now() + interval '12 h', now() + interval '12 h' FROM made`);
  await house.sql('VACUUM ANALYZE');
  const read = await rowsReadBy(async () => {
    await notebook.claim('domains', 10, 1_000);
    await dueOf(database, ['domains']);
    expect((await notebook.unattended('domains', null, 100)).last).not.toBeNull();
  });
  expect(read).toBeLessThan(1_000);
});

test('leases are renewed one by one, however many there are, by a plan that was made when there were none', async () => {
  await notebook.renew('domains', [], 60_000);
  await notebook.request(
    'domains',
    Array.from({ length: 1_000 }, () => uuidv7()),
  );
  const leases = await notebook.claim('domains', 1_000, 60_000);
  const read = await rowsReadBy(() => notebook.renew('domains', leases, 60_000));
  expect(leases).toHaveLength(1_000);
  expect(read).toBeLessThan(10_000);
});

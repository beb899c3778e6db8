import { Database } from '@homeostat/platform';
import { POOL_ID, type ServiceRole, reconciledKinds, serviceRole } from '@homeostat/shared';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';

const shared = ['idempotency_key', 'outbox', 'state_change'];

/** Whole tables that each role writes, beside those that everybody writes. */
const owned: Record<ServiceRole, readonly string[]> = {
  homeostat_domain: ['domain', 'name_verification'],
  homeostat_deploy: ['build', 'deployment', 'environment', 'image', 'project'],
  homeostat_vm_pool: ['pool', 'region', 'simulated_machine', 'vm', 'vm_address'],
  homeostat_sync: [
    ...['fallback_tag', 'record', 'record_content', 'record_word', 'referrer', 'registry', 'registry_page', 'sync'],
    'sync_record',
  ],
  homeostat_connector: [
    ...['catalog', 'catalog_table', 'connector', 'job_table', 'namespace', 'plan_entry', 'plan_file', 'reconcile_job'],
    ...['snapshot_column', 'snapshot_load', 'table_snapshot'],
  ],
};
const roles = Object.keys(owned) as ServiceRole[];

let test: TestDatabase;
let databases: Record<string, Database>;

beforeAll(async () => {
  test = await testDatabase();
  const open = (role: ServiceRole) => new Database({ url: test.url, role, application: role, connections: 1 });
  databases = Object.fromEntries(roles.map((role) => [role, open(role)]));
});

afterAll(async () => {
  await Promise.all(Object.values(databases).map((database) => database.close()));
  await test.close();
});

/** `done`, or the SQLSTATE of what was refused. */
async function outcome(role: ServiceRole, sql: string, values: unknown[] = []): Promise<string> {
  return databases[role]!.query(sql, values).then(
    () => 'done',
    (error: { code: string }) => error.code,
  );
}

const denied = '42501';
const kindsOf = (role: ServiceRole): string[] =>
  Object.entries(reconciledKinds).flatMap(([kind, of]) => (of.role === role ? [kind] : []));
const foreignKindsOf = (role: ServiceRole): string[] =>
  Object.keys(reconciledKinds).filter((kind) => !kindsOf(role).includes(kind));

describe.each(roles)('%s', (role) => {
  it('may insert into its own tables, and into no other', async () => {
    const rows = await test.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
       AND has_table_privilege($1, oid, 'INSERT') ORDER BY name`,
      [role],
    );
    expect(rows.map(({ name }) => name)).toEqual([...owned[role], ...shared].sort());
  });

  it('may delete from its own tables, and never from the history', async () => {
    const rows = await test.sql<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
       AND has_table_privilege($1, oid, 'DELETE') ORDER BY name`,
      [role],
    );
    expect(rows.map(({ name }) => name)).toEqual([...owned[role], 'idempotency_key', 'outbox'].sort());
  });

  it('may change columns of no table but its own, the claim and the notebook', async () => {
    const rows = await test.sql<{ name: string }>(
      `SELECT DISTINCT relname AS name FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0
       WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND has_column_privilege($1, attrelid, attnum, 'UPDATE')
       ORDER BY name`,
      [role],
    );
    const claim = ['homeostat_deploy', 'homeostat_vm_pool'].includes(role) ? ['vm_claim'] : [];
    const everybodys = ['idempotency_key', 'outbox', 'reconcile_kind', 'reconcile_status'];
    expect(rows.map(({ name }) => name)).toEqual([...owned[role], ...everybodys, ...claim].sort());
  });

  it('owns nothing that it could grant or alter, and cannot become another', async () => {
    expect(await test.sql('SELECT relname FROM pg_class WHERE relowner = $1::regrole', [role])).toEqual([]);
    const [found] = await test.sql('SELECT rolsuper, rolcanlogin, rolcreaterole FROM pg_roles WHERE rolname = $1', [
      role,
    ]);
    expect(found).toEqual({ rolsuper: false, rolcanlogin: false, rolcreaterole: false });
    const others = await test.sql(
      `SELECT rolname FROM pg_roles WHERE rolname <> $1 AND pg_has_role($1, oid, 'MEMBER')`,
      [role],
    );
    expect(others).toEqual([]);
  });

  it('is refused looks at kinds of others', async () => {
    const claims = [`SELECT claim_due($1, 1, 'me', 8000)`, `SELECT claim_looks($1, 1, 'me', '8 s')`];
    for (const claim of claims) {
      for (const kind of foreignKindsOf(role)) expect(await outcome(role, claim, [kind])).toBe(denied);
      for (const kind of kindsOf(role)) expect(await outcome(role, claim, [kind])).toBe('done');
    }
  });

  it('may ask for a look at any kind, but writes down results of its own only', async () => {
    const given = '$1, $2, $3, $4, $5, $6, $7, $8, $9, $10';
    const ways = [`SELECT note_looks(${given})`, `SELECT note_and_claim(${given}, NULL, 0, NULL, 0, false)`];
    const values = (kind: string, said: string | null) => [
      ...[[kind], [uuidv7()], ['0'], ['1'], [null], [said]],
      ...[[said], [null], [0], [null]],
    ];
    for (const kind of foreignKindsOf(role)) {
      expect(await outcome(role, 'SELECT request_look($1, ARRAY[$2::uuid])', [kind, uuidv7()])).toBe('done');
      for (const note of ways) {
        expect(await outcome(role, note, values(kind, null))).toBe('done');
        expect(await outcome(role, note, values(kind, 'settled'))).toBe(denied);
      }
    }
    for (const kind of kindsOf(role)) {
      for (const note of ways) expect(await outcome(role, note, values(kind, 'settled'))).toBe('done');
    }
  });

  it('steers its own kinds in the notebook, and does not see a row of others to change', async () => {
    const changed = async (kind: string): Promise<number> => {
      const key = uuidv7();
      await test.sql('SELECT request_look($1, ARRAY[$2::uuid])', [kind, key]);
      const sql = 'UPDATE reconcile_status SET paused = true WHERE kind = $1 AND key = $2 RETURNING key';
      return (await databases[role]!.query(sql, [kind, key])).length;
    };
    for (const kind of foreignKindsOf(role)) expect(await changed(kind)).toBe(0);
    for (const kind of kindsOf(role)) expect(await changed(kind)).toBe(1);
  });

  it('cannot forge the notebook, write over a reason or put a kind into other hands', async () => {
    const row = 'INSERT INTO reconcile_status (kind, key) VALUES ($1, $2)';
    expect(await outcome(role, row, [kindsOf(role)[0], uuidv7()])).toBe(denied);
    expect(await outcome(role, `UPDATE reconcile_status SET because = 'all is well'`)).toBe(denied);
    expect(await outcome(role, 'DELETE FROM reconcile_status')).toBe(denied);
    expect(await outcome(role, 'UPDATE reconcile_kind SET role = $1', [role])).toBe(denied);
  });

  it('pauses no kind of others', async () => {
    const changed = async (kind: string): Promise<number> => {
      const sql = 'UPDATE reconcile_kind SET paused_at = paused_at WHERE kind = $1 RETURNING kind';
      return databases[role]!.query(sql, [kind]).then(
        (rows) => rows.length,
        () => 0,
      );
    };
    for (const kind of foreignKindsOf(role)) expect(await changed(kind)).toBe(0);
    for (const kind of kindsOf(role)) expect(await changed(kind)).toBe(1);
  });

  it('cannot rewrite history', async () => {
    expect(await outcome(role, `UPDATE state_change SET because = 'never mind'`)).toBe(denied);
    expect(await outcome(role, 'DELETE FROM state_change')).toBe(denied);
  });

  it('makes no tables', async () => {
    expect(await outcome(role, 'CREATE TABLE public.mine (id integer)')).toBe(denied);
  });
});

describe('a claim on a VM', () => {
  const columns = async (role: ServiceRole, privilege: 'INSERT' | 'UPDATE'): Promise<string[]> => {
    const rows = await test.sql<{ attname: string }>(
      `SELECT attname FROM pg_attribute WHERE attrelid = 'vm_claim'::regclass AND attnum > 0 AND NOT attisdropped
       AND has_column_privilege($1, attrelid, attnum, $2) ORDER BY attname`,
      [role, privilege],
    );
    return rows.map(({ attname }) => attname);
  };

  it('is made and released by deploy-svc', async () => {
    const written = await columns('homeostat_deploy', 'INSERT');
    expect(written).toEqual(expect.arrayContaining(['deployment_id', 'env', 'id', 'image_id', 'port', 'tenant_id']));
    expect(written.filter((name) => ['bound_at', 'freed_at', 'number', 'released_at', 'vm_id'].includes(name))).toEqual(
      [],
    );
    expect(await columns('homeostat_deploy', 'UPDATE')).toEqual(['released_at']);
  });

  it('is bound and freed by vm-pool-svc', async () => {
    expect(await columns('homeostat_vm_pool', 'INSERT')).toEqual([]);
    expect(await columns('homeostat_vm_pool', 'UPDATE')).toEqual(['bound_at', 'freed_at', 'vm_id']);
  });

  it('is nothing that domain-svc writes', async () => {
    expect(await columns('homeostat_domain', 'INSERT')).toEqual([]);
    expect(await columns('homeostat_domain', 'UPDATE')).toEqual([]);
  });

  it('is refused when a side writes for the other', async () => {
    expect(await outcome('homeostat_deploy', 'UPDATE vm_claim SET vm_id = NULL')).toBe(denied);
    expect(await outcome('homeostat_vm_pool', 'UPDATE vm_claim SET released_at = now()')).toBe(denied);
    expect(await outcome('homeostat_vm_pool', 'DELETE FROM vm_claim')).toBe(denied);
    expect(await outcome('homeostat_deploy', `UPDATE vm SET status = 'pooling'`)).toBe(denied);
    expect(await outcome('homeostat_vm_pool', `UPDATE deployment SET status = 'ready'`)).toBe(denied);
    expect(await outcome('homeostat_domain', `UPDATE pool SET turn = 0 WHERE id = '${POOL_ID}'`)).toBe(denied);
  });
});

it('is given to a service that is added later as it was to the others', async () => {
  const role = `homeostat_later_${process.pid}`;
  await test.sql(serviceRole(role));
  try {
    const functionsOf = (name: string) =>
      test.sql(
        `SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prosecdef
         AND has_function_privilege($1, oid, 'EXECUTE') ORDER BY proname`,
        [name],
      );
    expect(await functionsOf(role)).toEqual(await functionsOf('homeostat_domain'));
  } finally {
    await test.sql(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
  }
});

import { Database } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { parseQueries } from './query';
import { type RecordRow, recordColumns } from '../record/record.answer';
import { Search } from './search';

jest.setTimeout(120_000);

/** A hundred thousand records: 60 skills, 20 domains, 500 authors; names and locators of their own. */
const world = `
  ALTER TABLE record DISABLE TRIGGER USER;
  INSERT INTO record (id, tenant_id, cid, status, manifest_digest, name, version, version_key, schema_version, authored_at, signed, terms)
    SELECT lpad(to_hex(n), 32, '0')::uuid, 'system', 'cid' || n, 'indexed', 'sha256:' || n, name, version, key, schema, at, n % 50 = 0,
      ARRAY['name=' || name, 'version=' || version, 'schema-version=' || schema, 'created-at=' || at, 'author=author ' || n % 500,
        'skill-id=' || 10000 + n % 60, 'skill-name=language/skill_' || n % 60, 'domain-name=science/domain_' || n % 20,
        'locator-type=' || CASE WHEN n % 5 = 0 THEN 'helm_chart' ELSE 'docker_image' END,
        'locator-url=https://images.example.com/org-' || n % 100 || '/agent-' || n, 'annotation=env=' || CASE WHEN n % 3 = 0 THEN 'dev' ELSE 'prod' END]
    FROM generate_series(1, 100000) AS n, LATERAL (SELECT 'https://fleet-' || n % 1000 || '.example.com/agents/agent-' || n % 25000 AS name,
      n % 5 || '.' || n % 11 || '.0' AS version, 'b' || n % 5 || '.' || CASE WHEN n % 11 > 9 THEN 'c' ELSE 'b' END || n % 11 || '.b0~' AS key,
      CASE WHEN n % 4 = 0 THEN '0.8.0' ELSE '1.0.0' END AS schema, timestamptz '2026-01-01' + n * interval '1 min' AS at) AS made;
  INSERT INTO record_word (kind, value)
    SELECT DISTINCT split_part(term, '=', 1), substr(term, strpos(term, '=') + 1) FROM record, unnest(terms) AS term;
  INSERT INTO name_verification (id, tenant_id, name, domain, status, expires_at) SELECT id, 'system', name, 'd', 'verified', now() + interval '1 h' FROM record WHERE signed;
  ANALYZE;
`;

let test: TestDatabase;

beforeAll(async () => {
  test = await testDatabase();
  await test.sql(world);
  await test.sql('VACUUM ANALYZE record');
});
afterAll(() => test.close());

/** The tables that `work` read from end to end, as PostgreSQL counted it: what a connection did is counted when it has gone. */
async function scannedBy(work: (search: Search) => Promise<unknown>): Promise<string[]> {
  const before = await scans();
  const own = new Database({ url: test.url, role: 'homeostat_sync', application: 'sync-svc', connections: 2 });
  try {
    await work(new Search(own));
  } finally {
    await own.close();
  }
  while ((await test.sql('SELECT FROM pg_stat_activity WHERE application_name = $1', ['sync-svc'])).length > 0);
  const after = await scans();
  return [...before.keys()].filter((table) => after.get(table)! > before.get(table)!);
}

async function scans(): Promise<Map<string, number>> {
  await test.sql('SELECT pg_stat_force_next_flush()');
  const rows = await test.sql<{ relname: string; count: number }>(
    `SELECT relname, seq_scan::integer AS count FROM pg_stat_user_tables WHERE relname IN ('record', 'record_word', 'name_verification')`,
  );
  return new Map(rows.map(({ relname, count }) => [relname, count]));
}

function groupsOf(...queries: string[]) {
  const parsed = parseQueries(queries);
  if ('faults' in parsed) throw new Error('a query is at fault');
  return parsed.groups;
}

describe('with 100 000 records, no table is read from end to end', () => {
  it.each([
    [['skill:10007'], 51, 1_667],
    [['skill:language/skill_7', 'domain:science/domain_7'], 51, 1_667],
    [['skill:language/skill_7', 'domain:science/domain_8'], 0, 0],
    [['name:*agent-12345*'], 4, 4],
    [['locator:https://images.example.com/org-7/*'], 51, 1_000],
    [['locator:*/agent-99999'], 1, 1],
    [['skill:language/skill_7*'], 51, 1_667],
    [['!skill:language/skill_?', '!skill:language/skill_??'], 0, 0],
    [['annotation:env=d*'], 51, 33_333],
    [['skill:language%*'], 0, 0],
    [['name:*agents*', 'skill:10007', 'author:author 7'], 51, 67],
    [['author:author 1?'], 51, 2_000],
    [['version:>=4.10.0'], 51, 1_818],
    [['version:4.*', '!schema-version:1.0.0', 'locator:helm_chart'], 0, 0],
    [['created-at:<2026-01-01T00:10:00Z'], 9, 9],
    [['created-at:2026-01-02', 'signed:true'], 29, 29],
    [['verified:true'], 51, 2_000],
    [['verified:true', 'author:author 50'], 51, 200],
    [['!signed:true', '!annotation:env=prod', 'schema-version:<1'], 51, 8_000],
    [['name:no-such-name'], 0, 0],
    [['name:*no-such-name*'], 0, 0],
    [[], 51, 100_000],
  ])('to find %j', async (queries, onPage, inAll) => {
    const scanned = await scannedBy(async (search) => {
      const asked = { columns: recordColumns, groups: groupsOf(...queries), after: null, limit: 51 };
      const ids = (await search.page<RecordRow>(asked)).map(({ id }) => id);
      expect(ids).toEqual([...new Set(ids)].sort().toReversed());
      expect([ids.length, await search.count(groupsOf(...queries))]).toEqual([onPage, inAll]);
    });
    expect(scanned).toEqual([]);
  });

  it('and the count sees it where one is', async () => {
    const own = new Database({ url: test.url, role: 'homeostat_sync', application: 'sync-svc', connections: 1 });
    const before = await scans();
    await own.query('SELECT count(*) FROM name_verification WHERE method = $1', ['m']);
    await own.close();
    while ((await test.sql('SELECT FROM pg_stat_activity WHERE application_name = $1', ['sync-svc'])).length > 0);
    expect((await scans()).get('name_verification')).toBe(before.get('name_verification')! + 1);
  });
});

import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Database, type Running, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import type { RecordSight, RecordStep } from '../record/record.decide';
import { write } from '../record/record.writes';
import { parseRecord } from '../record/validation/record.validation';
import { syncService } from '../sync.module';
import { termsOf } from './terms';
import { versionKey } from './version-key';

const folder = join(__dirname, '../../../../test/fixtures/directory');
const { records } = JSON.parse(readFileSync(join(folder, 'index.json'), 'utf8')) as {
  records: { file: string; cid: string; valid: boolean }[];
};

let test: TestDatabase;
let running: Running;
const ids = new Map<string, string>();

beforeAll(async () => {
  test = await testDatabase();
  const own = new Database({ url: test.url, role: 'homeostat_sync', application: 'spec', connections: 1 });
  for (const { file, cid } of records.filter(({ valid }) => valid)) {
    ids.set(file.replace(/^records\/|\.json$/g, ''), await index(own, cid, readFileSync(join(folder, file))));
  }
  await own.close();
  await test.sql(`UPDATE record SET signed = true WHERE id = ANY ($1)`, [
    [ids.get('fleet-1.9.0'), ids.get('fleet-1.10.0')],
  ]);
  await test.sql(
    `INSERT INTO name_verification (id, tenant_id, name, domain, status, method, key_id, verified_at, expires_at)
     VALUES ($1, 'system', 'n', 'fleet.example.com', 'verified', 'jwks', 'fleet-ec', now(), now() + interval '1 h'), ($2, 'system', 'n', 'd', 'failed', 'jwks', NULL, NULL, NULL),
       ($3, 'system', 'n', 'd', 'verified', 'jwks', 'fleet-ec', now() - interval '2 h', now() - interval '1 h')`,
    [ids.get('fleet-1.9.0'), ids.get('fleet-1.10.0'), ids.get('fleet-2.0.0')],
  );
  running = await serve([syncService], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: test.url,
  });
});
afterAll(async () => {
  await running.stop();
  await test.close();
});

async function index(database: Database, cid: string, bytes: Buffer): Promise<string> {
  const id = uuidv7();
  const { body, text } = parseRecord(bytes);
  const { name, version, schema_version } = body;
  const found = { manifest_digest: `sha256:${randomUUID()}`, annotations: null, size: bytes.length, name, version };
  const searched = { version_key: versionKey(version), authored_at: body.created_at, terms: termsOf(body) };
  const step: RecordStep = {
    do: 'index',
    record: { ...found, schema_version, ...searched },
    referrers: { added: [], gone: [], more: false, doubt: null },
  };
  const observed = { status: 'pending', generation: '1' } as RecordSight;
  await database.transaction(async (tx) => {
    await tx.query(`INSERT INTO record (id, tenant_id, cid) VALUES ($1, 'system', $2)`, [id, cid]);
    await tx.query('INSERT INTO record_content (id, content) VALUES ($1, $2)', [id, text]);
    await write(tx, [{ key: id, observed, step, because: '' }]);
  });
  return id;
}

async function get<T>(path: string): Promise<T> {
  return (await (await fetch(`${running.url}/v1/${path}`)).json()) as T;
}

const asked = (queries: readonly string[]) => queries.map((query) => `query=${encodeURIComponent(query)}`).join('&');

async function find(...queries: string[]): Promise<string[]> {
  const { items } = await get<{ items: { id: string }[] }>(`records?${asked(queries)}`);
  const counted = await get<{ count: number }>(`records/count?${asked(queries)}`);
  const cids = await get<{ items: string[] }>(`cids?${asked(queries)}`);
  expect([counted.count, cids.items.length]).toEqual([items.length, items.length]);
  const names = new Map([...ids].map(([name, id]) => [id, name]));
  return items.map(({ id }) => names.get(id)!).sort();
}

const fleet = ['fleet-1.10.0', 'fleet-1.9.0', 'fleet-2.0.0', 'fleet-2.0.0-rc.1'];
const coders = ['coder-1.0.0+build.7', 'coder-v0.1.0'];

describe('a search', () => {
  it.each<[string, string[], string[]]>([
    ['the name', ['name:https://fleet.example.com/agents/translator'], fleet],
    ['the name in any letter case', ['name:HTTPS://Fleet.Example.COM/agents/TRANSLATOR'], fleet],
    ['a pattern of names', ['name:*fleet.example.com*'], fleet],
    ['a pattern with one character left open', ['name:coders.example.org/p?ir'], coders],
    ['a pattern without three letters in a row', ['name:?ode*g/*r'], coders],
    ['a version, with a v or without', ['version:0.1.0'], ['coder-v0.1.0']],
    ['a version that is no semver, by equality', ['version:2026.11'], ['dated-2026.11']],
    ['a version, whatever its build', ['version:1.0.0', 'name:coders*'], ['coder-1.0.0+build.7']],
    ['a version with its build', ['version:1.0.0+build.7'], ['coder-1.0.0+build.7']],
    [
      'versions by the order of semver',
      ['version:>=1.10.0', 'name:*translator'],
      ['fleet-1.10.0', 'fleet-2.0.0', 'fleet-2.0.0-rc.1'],
    ],
    [
      'versions below a release',
      ['version:<2.0.0', 'name:*translator'],
      ['fleet-1.10.0', 'fleet-1.9.0', 'fleet-2.0.0-rc.1'],
    ],
    ['versions between two', ['version:>1.9.0 <2.0.0-rc.1', 'name:*translator'], ['fleet-1.10.0']],
    ['a pattern of versions', ['version:1.?.0', 'name:*translator'], ['fleet-1.9.0']],
    ['a schema version', ['schema-version:0.7.1'], ['coder-v0.1.0']],
    ['schema versions by order', ['schema-version:<0.8', 'schema-version:=0.9.0'], ['coder-v0.1.0', 'up-record_070']],
    ['a skill by its id', ['skill:10702'], ['fleet-1.10.0', 'up-record_070', 'up-record_080_v4']],
    [
      'a skill by its name',
      ['skill:natural_language_processing/analytical_reasoning/problem_solving'],
      ['fleet-1.10.0', 'up-record_070', 'up-record_080_v4'],
    ],
    ['a module', ['module:integration/mcp'], ['fleet-2.0.0-rc.1', 'up-record_100']],
    ['a module by its id', ['module-id:303'], ['up-record_070']],
    ['a locator by its type', ['locator:container_image', 'name:burger*'], ['up-record_100']],
    ['a locator by its URL', ['locator:https://ghcr.io/agntcy/burger-seller-agent'], ['up-record_100']],
    ['an author', ['author:cisco systems'], ['up-record_070']],
    ['an annotation', ['annotation:key=value'], ['up-record_070', 'up-record_080_v4']],
    ['an annotation by its name', ['annotation:key'], ['up-record_070', 'up-record_080_v4']],
    ['when it was made', ['created-at:2025-03-19'], ['up-record_070', 'up-record_080_v4']],
    ['what is signed', ['signed:true'], ['fleet-1.10.0', 'fleet-1.9.0']],
    ['what has a verified name', ['verified:true'], ['fleet-1.9.0']],
    ['what is signed, and has no verified name', ['signed:true', 'verified:false'], ['fleet-1.10.0']],
    ['either of two', ['name:coders*', 'name:burger*'], [...coders, 'up-record_100']],
    ['what matches both of two kinds', ['name:coders*', 'schema-version:1.0.0'], ['coder-1.0.0+build.7']],
    ['the one, and not the other', ['name:*fleet*', '!version:>=2.0.0-0'], ['fleet-1.10.0', 'fleet-1.9.0']],
    ['none of what is named', ['!name:*e*', '!signed:true'], []],
    ['nothing', ['name:no such name'], []],
    ['nothing, by a pattern', ['name:no*such*name'], []],
    ['what a pattern must not mean', ['name:%fleet%'], []],
  ])('finds %s', async (_what, queries, expected) => {
    expect(await find(...queries)).toEqual(expected.toSorted());
  });

  it('finds everything where nothing is asked, page by page, newest first', async () => {
    const all = [...ids.values()].sort().toReversed();
    const found: string[] = [];
    for (let cursor = ''; ;) {
      const path = `records?limit=4&query=!name:nothing${cursor && `&cursor=${cursor}`}`;
      const page = await get<{ items: { id: string }[]; next_cursor: string | null }>(path);
      expect(page.items.length).toBeLessThanOrEqual(4);
      found.push(...page.items.map(({ id }) => id));
      if (page.next_cursor === null) break;
      cursor = page.next_cursor;
    }
    expect(found).toEqual(all);
    expect(await find()).toHaveLength(all.length);
  });

  it('goes on where a page of the indexes ended', async () => {
    const first = await get<{ items: { id: string }[]; next_cursor: string }>(`records?limit=3&query=name:*translator`);
    const second = await get<{ items: { id: string }[]; next_cursor: null }>(
      `records?limit=3&query=name:*translator&cursor=${first.next_cursor}`,
    );
    expect([first.items.length, second.items.length, second.next_cursor]).toEqual([3, 1, null]);
  });

  it('tells every fault of its queries', async () => {
    const problem = await get<{ status: number; errors: object[] }>('records?query=colour:red&query=name&query=name:x');
    expect(problem).toMatchObject({ status: 400, errors: [{ pointer: '?query' }, { pointer: '?query' }] });
  });
});

describe('resolve', () => {
  const resolved = async (name: string) => {
    const { id } = await get<{ id?: string }>(`resolve/${encodeURIComponent(name)}`);
    return [...ids].find(([, one]) => one === id)?.[0];
  };

  it.each([
    ['https://fleet.example.com/agents/translator', 'fleet-2.0.0'],
    ['HTTPS://fleet.example.com/agents/Translator', 'fleet-2.0.0'],
    ['https://fleet.example.com/agents/translator:1.9.0', 'fleet-1.9.0'],
    ['https://fleet.example.com/agents/translator:v1.9.0', 'fleet-1.9.0'],
    ['https://fleet.example.com/agents/translator:2.0.0-rc.1', 'fleet-2.0.0-rc.1'],
    ['coders.example.org/pair', 'coder-1.0.0+build.7'],
    ['coders.example.org/pair:1.0.0', 'coder-1.0.0+build.7'],
    ['coders.example.org/pair:0.1.0', 'coder-v0.1.0'],
    ['dates.example.org/agent:2026.11', 'dated-2026.11'],
    ['burger_seller_agent:1.0.0', 'up-record_100'],
  ])('%s is %s', async (name, expected) => {
    expect(await resolved(name)).toBe(expected);
  });

  it.each(['https://fleet.example.com/agents/translator:9.9.9', 'no such name', 'https://fleet.example.com'])(
    '%s is nothing',
    async (name) => {
      expect((await fetch(`${running.url}/v1/resolve/${encodeURIComponent(name)}`)).status).toBe(404);
    },
  );
});

describe('a record', () => {
  it('is read with what is known of its name', async () => {
    const { cid } = records.find(({ file }) => file.endsWith('fleet-1.9.0.json'))!;
    const shown = await get<{ record: object; verification: object }>(`records/${cid}`);
    expect(shown.record).toMatchObject({ version: '1.9.0' });
    expect(shown.verification).toMatchObject({ status: 'verified', domain: 'fleet.example.com', key_id: 'fleet-ec' });
  });

  it('is not there under a CID that nobody has', async () => {
    expect((await fetch(`${running.url}/v1/records/baearei`)).status).toBe(404);
  });
});

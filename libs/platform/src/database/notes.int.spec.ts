import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { Client } from 'pg';

let house: TestDatabase;
let client: Client;

beforeAll(async () => {
  house = await testDatabase();
  client = new Client({ connectionString: house.url });
  await client.connect();
});
beforeEach(() => client.query('BEGIN'));
afterEach(() => client.query('ROLLBACK'));
afterAll(async () => {
  await client.end();
  await house.close();
});

const hour = (n: number): string => `now() + interval '${n} h'`;
const due = `due_at = ${hour(-1)}, rank_at = ${hour(-1)}, traceparent = 'of the row', lease_epoch = 7`;
const leased = `lease_holder = 'a', lease_until = ${hour(1)}, passes = '{1, 2, 3, 4, 5}'`;

/** What a row may be before it is noted, as an UPDATE makes it; null: there is none. */
const rows: Readonly<Record<string, string | null>> = {
  missing: null,
  resting: `outcome = 'settled', because = 'it was', fix = 'none', lease_epoch = 7`,
  due,
  leased: `${due}, ${leased}`,
  'wished for meanwhile': `${due}, ${leased}, generation = 2`,
  'paused meanwhile': `${leased}, lease_epoch = 7, paused = true, generation = 2`,
};

/** Epoch, due, outcome, because, fix, failures, pass or trace: each in SQL. */
const notes: Readonly<Record<string, readonly string[]>> = {
  'a wish': ['0', 'NULL', 'NULL', 'NULL', 'NULL', '0', `'of the wish'`],
  'a wish without a trace': ['0', 'NULL', 'NULL', 'NULL', 'NULL', '0', 'NULL'],
  'a date': ['0', hour(2), `'waiting'`, `'it is early'`, 'NULL', '0', `'of the wish'`],
  'a date that is over': ['0', hour(-2), `'waiting'`, `'it is early'`, 'NULL', '0', 'NULL'],
  'that nothing is left': ['0', 'NULL', `'settled'`, `'it is over'`, 'NULL', '0', 'NULL'],
  'the end of a look': ['7', 'NULL', `'settled'`, `'it was'`, 'NULL', '0', `'a pass'`],
  'a failure': ['7', hour(1), `'failed'`, `'it broke'`, `'mend it'`, '3', `'a pass'`],
  'a step': ['7', hour(-1), `'acted'`, `'it must'`, 'NULL', '0', `'a pass'`],
  'an end under a lost lease': ['6', 'NULL', `'settled'`, `'it was'`, 'NULL', '0', `'a pass'`],
};

/** What becomes of rows that all are as `row` says, each noted by one of the notes; or the error. */
async function noted(row: string | null, given: readonly (readonly string[])[], call: string): Promise<unknown> {
  await client.query('SAVEPOINT before');
  const keys = given.map((_, at) => `00000000-0000-7000-8000-00000000000${9 - at}`);
  for (const key of row === null ? [] : keys) {
    await client.query(`INSERT INTO reconcile_status (kind, key) VALUES ('builds', '${key}')`);
    await client.query(`UPDATE reconcile_status SET ${row} WHERE key = '${key}'`);
  }
  const column = (of: (note: readonly string[], at: number) => string, type: string): string =>
    `ARRAY[${given.map(of).join(', ')}]::${type}[]`;
  const columns = [
    column(() => `'builds'`, 'text'),
    column((_, at) => `'${keys[at]}'`, 'uuid'),
    column(([epoch]) => epoch!, 'bigint'),
    column(() => '1', 'bigint'),
    ...['timestamptz', 'text', 'text', 'text', 'integer', 'text'].map((type, at) =>
      column((note) => note[at + 1]!, type),
    ),
  ];
  try {
    await client.query(`SELECT FROM ${call.replace('notes', columns.join(', '))}`);
    return (await client.query('SELECT to_jsonb(s) AS row FROM reconcile_status s ORDER BY key')).rows;
  } catch (error) {
    const { code, detail } = error as { code: string; detail: string };
    return { code, detail };
  } finally {
    await client.query('ROLLBACK TO SAVEPOINT before');
  }
}

const few = `note_and_claim(notes, NULL, 0, NULL, 0, false)`;

test.each(Object.keys(rows))('a few notes do to rows that are %s what many do', async (state) => {
  for (const [name, note] of Object.entries(notes)) {
    for (const given of [[note], [note, notes['a wish']!, notes['the end of a look']!]]) {
      const many = await noted(rows[state]!, given, 'note_looks(notes)');
      expect([name, await noted(rows[state]!, given, few)]).toEqual([name, many]);
    }
  }
});

test('more than a few are noted as well', async () => {
  const given = Array.from({ length: 5 }, () => notes['a step']!);
  expect(await noted(rows.leased!, given, few)).toEqual(await noted(rows.leased!, given, 'note_looks(notes)'));
  expect(await noted(rows.leased!, given, few)).toHaveLength(5);
});

test('a look at what is gone leaves no row', async () => {
  const gone = ['7', 'NULL', `'gone'`, `'it exists no more'`, 'NULL', '0', `'a pass'`];
  expect(await noted(rows.leased!, [gone, notes['a step']!], few)).toHaveLength(1);
});

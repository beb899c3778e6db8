import { testDatabase } from '@homeostat/testing';
import fc from 'fast-check';
import { arrayLiteral } from './array-literal';

type Database = Awaited<ReturnType<typeof testDatabase>>;
let database: Database;

beforeAll(async () => {
  database = await testDatabase();
});
afterAll(() => database.close());

async function back(items: readonly unknown[], type: string): Promise<unknown[]> {
  const [row] = await database.sql<{ items: unknown[] }>(`SELECT $1::${type}[] AS items`, [arrayLiteral(items)]);
  return row!.items;
}

test('any texts come back as they were sent', async () => {
  const text = fc.oneof(
    fc.string({ unit: 'grapheme' }),
    fc.constantFrom('NULL', 'null', '', '{}', '"', '\\', 'a,b', ' '),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(fc.option(text.map((one) => one.replaceAll('\0', '')))), async (items) => {
      expect(await back(items, 'text')).toEqual(items);
    }),
  );
});

test('numbers, times and documents come back as what they are', async () => {
  const time = new Date('2026-11-21T08:00:00.123Z');
  expect(await back([1, -2.5, null], 'float8')).toEqual([1, -2.5, null]);
  expect(await back([time, null], 'timestamptz')).toEqual([time, null]);
  expect(await back([{ a: 'b "c" \\' }, null], 'json')).toEqual([{ a: 'b "c" \\' }, null]);
});

import { deepStrictEqual, ok, strictEqual } from 'node:assert/strict';
import { inspect } from 'node:util';
import { type Connector, type Snapshot, type SourceTable, type StatisticsItem, type TableName } from './connector.port';
import { leavesOf } from './data-type';
import { ConnectorFault } from './fault';
import { inPieces } from './in-pieces';

/** A source to try a connector on. */
export interface ConformanceWorld {
  /** A namespace that has `table` and not `missing`. */
  readonly namespace: readonly string[];
  /** A table with rows in its current snapshot, and with earlier ones where the source keeps any. */
  readonly table: TableName;
  readonly missing: TableName;
  /** The name of a top-level column that holds values itself. */
  readonly column: string;
  /** The secrets that the connector was opened with. */
  readonly secrets: readonly string[];
}

/** One promise of the SPI; `check` rejects with an AssertionError where a connector breaks it. */
export interface Promised {
  readonly name: string;
  check(connector: Connector, world: ConformanceWorld): Promise<void>;
}

/** What every connector must do (connector.port.ts), whatever its source; a spec runs each on a connector of its own. */
export const conformance: readonly Promised[] = [
  { name: 'lists each namespace once', check: listsNamespaces },
  { name: 'lists the tables of one namespace, each once', check: listsTables },
  { name: 'describes a table whose parts fit together', check: describes },
  { name: 'says not_found, for good, of a table that is not there', check: missesTables },
  { name: 'lists snapshots with parents before children, and one of them as the current one', check: listsSnapshots },
  { name: 'leaves out the snapshots that are known', check: leavesOutKnown },
  { name: 'gives files, then columns, then the table, with the same keys each time', check: givesStatistics },
  { name: 'adds up: the table is the sum of its files', check: addsUp },
  { name: 'gives the statistics of selected columns alone', check: selectsColumns },
  { name: 'plans the very files that the statistics have', check: plansFiles },
  { name: 'reads the same when it stops now and then, and goes on', check: goesOn },
  { name: 'stops with the reason of the signal', check: stops },
  { name: 'can be left in mid-reading, and closed twice', check: closes },
  { name: 'tells no secret', check: keepsSecrets },
];

async function listsNamespaces(connector: Connector, { namespace }: ConformanceWorld): Promise<void> {
  const found = await all(connector.listNamespaces());
  const names = found.map((levels) => JSON.stringify(levels));
  strictEqual(new Set(names).size, names.length, 'a namespace came twice');
  ok(names.includes(JSON.stringify(namespace)), `${JSON.stringify(namespace)} is not listed`);
}

async function listsTables(connector: Connector, { namespace, table, missing }: ConformanceWorld): Promise<void> {
  const found = await all(connector.listTables(namespace));
  for (const one of found) deepStrictEqual([...one.namespace], [...namespace]);
  const names = found.map(({ name }) => name);
  strictEqual(new Set(names).size, names.length, 'a table came twice');
  ok(names.includes(table.name), `${table.name} is not listed`);
  ok(!names.includes(missing.name), `${missing.name} is listed`);
}

async function describes(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { description } = await connector.describe(table);
  deepStrictEqual(description.name, table);
  ok(
    description.schemas.some(({ id }) => id === description.currentSchemaId),
    'the current schema is missing',
  );
  ok(
    description.partitionSpecs.some(({ id }) => id === description.defaultSpecId),
    'the default partition spec is missing',
  );
  for (const schema of description.schemas) ok(leavesOf(schema).length > 0, `schema ${schema.id} has no columns`);
}

async function missesTables(connector: Connector, { missing }: ConformanceWorld): Promise<void> {
  const fault = await faultOf(connector.describe(missing));
  strictEqual(fault.code, 'not_found');
  strictEqual(fault.faultClass, 'terminal');
}

async function listsSnapshots(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, snapshots } = await openedTable(connector, table);
  ok(snapshots.length > 0, 'the table has no snapshot');
  const seen = new Set<bigint>();
  const ids = new Set(snapshots.map(({ id }) => id));
  strictEqual(ids.size, snapshots.length, 'a snapshot came twice');
  ok(
    [...ids].every((id) => described.snapshotIds.includes(id)),
    'a snapshot came that the source does not have',
  );
  for (const { id, parentId, parentPresent } of snapshots) {
    strictEqual(parentPresent, parentId !== null && ids.has(parentId));
    ok(parentId === null || !ids.has(parentId) || seen.has(parentId), `${id} came before its parent`);
    seen.add(id);
  }
  const current = snapshots.filter(({ isCurrent }) => isCurrent).map(({ id }) => id);
  deepStrictEqual(current, [described.description.currentSnapshotId]);
}

async function leavesOutKnown(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, snapshots } = await openedTable(connector, table);
  const known = new Set(snapshots.map(({ id }) => id));
  deepStrictEqual(await all(described.listSnapshots(known)), []);
  known.delete(snapshots[0]!.id);
  deepStrictEqual(await all(described.listSnapshots(known)), [snapshots[0]]);
}

async function givesStatistics(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const items = await all(described.statistics(current, 'all'));
  const kinds = items.map(({ item }) => item).filter((item, at, list) => item !== list[at - 1]);
  deepStrictEqual(kinds, ['file', 'column', 'table']);
  strictEqual(new Set(items.map(({ key }) => key)).size, items.length, 'a key came twice');
  deepStrictEqual(await all(described.statistics(current, 'all')), items);
  deepStrictEqual(
    of(items, 'column').map(({ column }) => column.path),
    leavesOf(current.schema).map(({ path }) => path),
  );
}

async function addsUp(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const items = await all(described.statistics(current, 'all'));
  const data = of(items, 'file').flatMap(({ file }) => (file.content === 'data' ? [file] : []));
  const [{ table: sums } = { table: null }] = of(items, 'table');
  ok(sums);
  strictEqual(sums.dataFileCount, data.length);
  strictEqual(
    sums.dataBytes,
    data.reduce((sum, file) => sum + file.bytes, 0n),
  );
  const rows = data.map(({ recordCount }) => recordCount);
  const known = rows.every((count) => count !== null);
  strictEqual(sums.recordCount, known ? rows.reduce((sum, count) => sum + count, 0n) : null);
}

async function selectsColumns(connector: Connector, { table, column }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const named = of(await all(described.statistics(current, [column])), 'column');
  deepStrictEqual(
    named.map((one) => one.column.path),
    [[column]],
  );
  const { fieldId } = named[0]!.column;
  if (fieldId !== null) deepStrictEqual(of(await all(described.statistics(current, [`#${fieldId}`])), 'column'), named);
  deepStrictEqual(of(await all(described.statistics(current, ['no such column'])), 'column'), []);
}

async function plansFiles(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const files = of(await all(described.statistics(current, 'all')), 'file').map(({ file }) => file);
  deepStrictEqual(await all(described.plan(current)), files);
}

async function goesOn(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  deepStrictEqual(await inPieces(described, current), await all(described.statistics(current, 'all')));
}

async function stops(connector: Connector, { namespace, table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const signal = AbortSignal.abort(new Error('enough'));
  const calls = [
    () => all(connector.listNamespaces({ signal })),
    () => all(connector.listTables(namespace, { signal })),
    () => connector.describe(table, { signal }),
    () => all(described.listSnapshots(new Set(), { signal })),
    () => all(described.statistics(current, 'all', { signal })),
    () => all(described.plan(current, { signal })),
  ];
  for (const call of calls) {
    const error: unknown = await call().then(
      () => 'it went on',
      (error: unknown) => error,
    );
    strictEqual(error, signal.reason);
  }
}

async function closes(connector: Connector, { table }: ConformanceWorld): Promise<void> {
  const { described, current } = await openedTable(connector, table);
  const reading = described.statistics(current, 'all')[Symbol.asyncIterator]();
  await reading.next();
  await reading.return?.();
  await connector.close();
  await connector.close();
}

async function keepsSecrets(connector: Connector, { table, missing, secrets }: ConformanceWorld): Promise<void> {
  const { description } = await connector.describe(table);
  const fault = await faultOf(connector.describe(missing));
  const told = inspect([description, fault], { depth: 20, showHidden: true });
  for (const secret of secrets) ok(!told.includes(secret), 'a secret is told');
}

async function openedTable(connector: Connector, table: TableName) {
  const described: SourceTable = await connector.describe(table);
  const snapshots: Snapshot[] = await all(described.listSnapshots(new Set()));
  const current = snapshots.find(({ isCurrent }) => isCurrent);
  ok(current, 'the current snapshot is not listed');
  return { described, snapshots, current };
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

async function faultOf(call: Promise<unknown>): Promise<ConnectorFault> {
  const error: unknown = await call.then(
    () => null,
    (error: unknown) => error,
  );
  ok(error instanceof ConnectorFault, `no ConnectorFault, but ${String(error)}`);
  return error;
}

function of<K extends StatisticsItem['item']>(items: readonly StatisticsItem[], item: K) {
  return items.filter((one): one is Extract<StatisticsItem, { item: K }> => one.item === item);
}

import type { JobScope } from '@homeostat/shared';
import type { TableName } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import type { SliceScope } from './slice-scope';

const TABLES_AT_ONCE = 1_000;
/** A catalog that goes on after that pages for ever. */
const MOST_TABLES = 1_000_000;

/** Writes down which tables a job is about; the listing counts once it has come to its end. */
export async function listTables(scope: SliceScope): Promise<void> {
  const { fence, signal } = scope;
  const seen = new Set<string>();
  const batch: TableName[] = [];
  const send = (): Promise<void> => add(scope, seen.size, batch.splice(0));
  await fence.write((tx) => tx.query('DELETE FROM job_table WHERE job_id = $1', [fence.jobId]));
  for await (const table of tablesOf(scope)) {
    signal.throwIfAborted();
    const name = JSON.stringify([table.namespace, table.name]);
    if (seen.has(name)) continue;
    if (seen.size >= MOST_TABLES)
      throw new ConnectorFault('too_large', `the source lists more than ${MOST_TABLES} tables`);
    seen.add(name);
    batch.push(table);
    if (batch.length === TABLES_AT_ONCE) await send();
  }
  if (batch.length > 0) await send();
  await fence.write(async (tx) => {
    await tx.query('UPDATE reconcile_job SET listed_at = now(), tables_total = $2 WHERE id = $1', [
      fence.jobId,
      seen.size,
    ]);
    await tx.query(
      `UPDATE catalog_table t SET missed = 0 WHERE t.connector_id = $2 AND t.missed > 0 AND EXISTS (
         SELECT FROM job_table j WHERE j.job_id = $1 AND j.namespace = t.source_namespace AND j.name = t.source_name)`,
      [fence.jobId, scope.target.id],
    );
  });
}

/** The scope of a job narrows what its connector reads. */
async function* tablesOf({ target: { source }, job, connector, signal }: SliceScope): AsyncIterable<TableName> {
  const wanted: JobScope = job.scope;
  const namespace = wanted.namespace ?? source.namespace;
  const table = wanted.table ?? source.table;
  if (namespace && table !== null) return yield { namespace, name: table };
  if (namespace) return yield* connector.listTables(namespace, { signal });
  for await (const one of connector.listNamespaces({ signal })) yield* connector.listTables(one, { signal });
}

async function add({ fence }: SliceScope, count: number, batch: readonly TableName[]): Promise<void> {
  const first = count - batch.length;
  await fence.write((tx) =>
    tx.query(
      `INSERT INTO job_table (job_id, n, namespace, name)
       SELECT $1, n, ARRAY(SELECT json_array_elements_text(path)), name FROM unnest($2::integer[], $3::json[], $4::text[]) AS t (n, path, name)`,
      [
        fence.jobId,
        batch.map((_, n) => first + n),
        batch.map(({ namespace }) => JSON.stringify(namespace)),
        batch.map(({ name }) => name),
      ],
    ),
  );
}

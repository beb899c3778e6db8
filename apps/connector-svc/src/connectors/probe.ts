import type { ConnectorSource } from '@homeostat/shared';
import type { Connector } from '../connector/connector.port';
import { failureOf } from '../slices/failure';

/** How long somebody who asks is kept waiting. */
const DEADLINE_MS = 20_000;
const MOST_TABLES = 100;

/** What came of trying out a source. */
export interface Verdict {
  readonly valid: boolean;
  readonly code: string | null;
  readonly message: string | null;
  readonly tables_seen: number;
}

/** Opens a source, looks for its first tables, and closes it; whatever is wrong is part of the answer. */
export async function probe(
  open: () => Connector,
  source: ConnectorSource,
  secrets: readonly string[],
  gone: AbortSignal,
): Promise<Verdict> {
  const signal = AbortSignal.any([gone, AbortSignal.timeout(DEADLINE_MS)]);
  let connector: Connector | null = null;
  try {
    connector = open();
    return { valid: true, code: null, message: null, tables_seen: await look(connector, source, signal) };
  } catch (error) {
    if (signal.aborted) return refused('timeout', `no answer within ${DEADLINE_MS / 1_000} s`);
    const failure = failureOf(error, secrets);
    if (!failure) throw error;
    return refused(failure.code, failure.message);
  } finally {
    await connector?.close();
  }
}

function refused(code: string, message: string): Verdict {
  return { valid: false, code, message, tables_seen: 0 };
}

async function look(connector: Connector, { namespace, table }: ConnectorSource, signal: AbortSignal): Promise<number> {
  if (namespace && table !== null) {
    await connector.describe({ namespace, name: table }, { signal });
    return 1;
  }
  const namespaces = namespace ? [namespace] : connector.listNamespaces({ signal });
  for await (const one of namespaces) {
    const seen = await count(connector.listTables(one, { signal }));
    if (seen > 0) return seen;
  }
  return 0;
}

async function count(tables: AsyncIterable<unknown>): Promise<number> {
  const listing = tables[Symbol.asyncIterator]();
  for (let seen = 0; ; seen += 1) {
    if (seen === MOST_TABLES) await listing.return?.();
    if (seen === MOST_TABLES || (await listing.next()).done) return seen;
  }
}

import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import type { ChildServer } from './child-server';
import { lakehouseKeys } from './lakehouse-servers';

/** A table of a Unity Catalog: its three names, and where it lies. */
export interface UnityTable {
  readonly name: readonly [catalog: string, schema: string, table: string];
  readonly storage_location: string;
  readonly data_source_format?: string;
}

const root = '/api/2.1/unity-catalog/';
const perPage = 2;

class Refusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

/**
 * Starts a stand-in for a Unity Catalog, which cannot be had: the lists, the table and the credentials of its OpenAPI (unitycatalog/unitycatalog,
 * api/all.yaml), as strict as that is written. Whoever does not show `token` is refused; it lends the suites' own keys.
 */
export async function startUnity(tables: readonly UnityTable[], token: string): Promise<ChildServer> {
  const server = createServer((request, response) => {
    const answered = answerTo(request, tables, token).then(
      (answer) => [200, answer] as const,
      (error: unknown) => {
        if (!(error instanceof Refusal)) throw error;
        return [error.status, { error_code: error.code, message: error.message }] as const;
      },
    );
    void answered.then(([status, answer]) => {
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
    });
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const close = () => {
    server.closeAllConnections();
    return new Promise<void>((closed) => server.close(() => closed()));
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

async function answerTo(request: IncomingMessage, tables: readonly UnityTable[], token: string): Promise<object> {
  const { pathname, searchParams } = new URL(request.url!, 'http://unity');
  if (request.headers.authorization !== `Bearer ${token}`) throw new Refusal(401, 'UNAUTHENTICATED', 'no such token');
  const path = pathname.startsWith(root) ? pathname.slice(root.length) : '';
  switch (`${request.method} ${path}`) {
    case 'GET catalogs':
      return listed('catalogs', searchParams, [], 1_000, unique(tables.map(({ name: [catalog] }) => catalog)));
    case 'GET schemas': {
      const of = tables.filter(({ name }) => name[0] === searchParams.get('catalog_name'));
      return listed('schemas', searchParams, ['catalog_name'], 1_000, unique(of.map(({ name: [, schema] }) => schema)));
    }
    case 'GET tables': {
      const [catalog, schema] = [searchParams.get('catalog_name'), searchParams.get('schema_name')];
      const of = tables.filter(({ name }) => name[0] === catalog && name[1] === schema).map(infoOf);
      return listed('tables', searchParams, ['catalog_name', 'schema_name'], 50, of);
    }
    case 'POST temporary-table-credentials':
      return lent(tables, await json(request));
  }
  const found = tables.find(({ name }) => path === `tables/${encodeURIComponent(name.join('.'))}`);
  if (request.method === 'GET' && found) return infoOf(found);
  throw new Refusal(404, 'NOT_FOUND', `${request.method} ${pathname}`);
}

/** A page of a list; its token is the number of the next item. Throws for what the OpenAPI does not allow. */
function listed(
  kind: string,
  query: URLSearchParams,
  needed: readonly string[],
  most: number,
  items: readonly object[],
): object {
  const unknown = [...query.keys()].filter((name) => ![...needed, 'max_results', 'page_token'].includes(name));
  const missing = needed.filter((name) => !query.get(name));
  const size = query.get('max_results') ?? '0';
  if (unknown.length + missing.length > 0 || !/^\d+$/.test(size) || Number(size) > most)
    throw new Refusal(400, 'INVALID_ARGUMENT', `${kind}: unknown ${unknown}, missing ${missing}, max_results ${size}`);
  const from = Number(query.get('page_token') ?? 0);
  const to = from + Math.min(Number(size) || perPage, perPage);
  return { [kind]: items.slice(from, to), ...(to < items.length ? { next_page_token: String(to) } : {}) };
}

function lent(tables: readonly UnityTable[], asked: unknown): object {
  const { table_id, operation } = asked as Record<string, unknown>;
  if (operation !== 'READ' || !tables.some((table) => infoOf(table).table_id === table_id))
    throw new Refusal(404, 'NOT_FOUND', 'no such table, or no such operation');
  return {
    aws_temp_credentials: { ...lakehouseKeys, session_token: 'suite-session' },
    expiration_time: 4_102_444_800_000,
  };
}

function infoOf({ name, storage_location, data_source_format = 'DELTA' }: UnityTable) {
  const [catalog_name, schema_name, table] = name;
  return {
    ...{ name: table, catalog_name, schema_name, table_type: 'EXTERNAL', data_source_format, columns: [] },
    ...{ storage_location, table_id: `id of ${name.join('.')}`, created_at: 1_700_000_000_000, properties: {} },
  };
}

function unique(names: readonly string[]): { name: string }[] {
  return [...new Set(names)].map((name) => ({ name }));
}

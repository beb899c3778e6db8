import { type GlueClient, type Table } from '@aws-sdk/client-glue';
import { type CallOptions } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { type AwsSettings, awsClientSettings, awsFault, counted } from './aws';

const mostPages = 100_000;

/** Loaded when the first connector needs it, as that of S3. */
const load = () => import('@aws-sdk/client-glue');

interface Sdk {
  readonly glue: Awaited<ReturnType<typeof load>>;
  readonly client: GlueClient;
}

/** AWS Glue's Data Catalog as far as connectors need it; databases are namespaces of one level. */
export class GlueCatalog {
  private readonly sdk: () => Promise<Sdk>;
  private opened: Promise<Sdk> | null = null;

  constructor(
    settings: AwsSettings,
    private readonly catalogId?: string,
  ) {
    const clientSettings = awsClientSettings(settings);
    this.sdk = () =>
      (this.opened ??= load().then((glue) => ({ glue, client: counted(new glue.GlueClient(clientSettings), 'glue') })));
  }

  async *databases({ signal }: CallOptions): AsyncIterable<string> {
    const { glue, client } = await this.sdk();
    const asked = (NextToken?: string) => new glue.GetDatabasesCommand({ CatalogId: this.catalogId, NextToken });
    const pages = pagesOf('databases', (token) => client.send(asked(token), { abortSignal: signal }), signal);
    for await (const page of pages) for (const { Name } of page.DatabaseList ?? []) yield Name!;
  }

  async *tables(database: string, { signal }: CallOptions): AsyncIterable<Table> {
    const { glue, client } = await this.sdk();
    const asked = (NextToken?: string) =>
      new glue.GetTablesCommand({ CatalogId: this.catalogId, DatabaseName: database, NextToken });
    const pages = pagesOf(database, (token) => client.send(asked(token), { abortSignal: signal }), signal);
    for await (const page of pages) yield* page.TableList ?? [];
  }

  /** Throws ConnectorFault `not_found` when there is none. */
  async table(database: string, name: string, { signal }: CallOptions): Promise<Table> {
    const { glue, client } = await this.sdk();
    const asked = new glue.GetTableCommand({ CatalogId: this.catalogId, DatabaseName: database, Name: name });
    const { Table: table } = await client.send(asked, { abortSignal: signal }).catch((error: unknown) => {
      throw awsFault(error, `${database}.${name}`, signal);
    });
    if (!table) throw new ConnectorFault('not_found', `${database}.${name}: Glue has no such table`);
    return table;
  }

  close(): void {
    void this.opened?.then(({ client }) => client.destroy());
  }
}

/** Pages until no token comes; a token that comes again, or too many pages, is a fault. */
async function* pagesOf<P extends { NextToken?: string }>(
  subject: string,
  ask: (token?: string) => Promise<P>,
  signal?: AbortSignal,
): AsyncIterable<P> {
  const seen = new Set<string>();
  let token: string | undefined;
  do {
    const page = await ask(token).catch((error: unknown) => {
      throw awsFault(error, subject, signal);
    });
    yield page;
    token = page.NextToken || undefined;
    if (token !== undefined && (seen.has(token) || seen.size >= mostPages)) {
      throw new ConnectorFault('invalid_answer', `${subject}: the listing has no end`);
    }
    if (token !== undefined) seen.add(token);
  } while (token !== undefined);
}

import { type CallOptions, type TableName } from '../../connector/connector.port';
import { ConnectorFault } from '../../connector/fault';
import { parseUri } from '../../storage/object-uri';
import { type ObjectStore } from '../../storage/storage.port';
import { type LoadedTable } from '../iceberg.table';
import { JsonReader, type Json } from '../json';
import { readMetadata } from '../metadata';
import { largestMetadata, loadedTable } from '../metadata-file';
import { type IcebergCatalog } from './catalog.port';
import { lentCredentials, type LentStores } from './lent-storage';
import { type RestHttp } from './rest.http';

export interface RestSettings {
  readonly warehouse?: string;
  readonly allowed: readonly string[];
}

const largestPage = 32 << 20;
const pageSize = '1000';
const mostPages = 10_000;
const deepestNamespace = 16;

/** What `GET /v1/config` settles for all later requests. */
interface Agreed {
  readonly prefix: string;
  readonly separator: string;
}

/** A catalog that speaks Iceberg's REST (its OpenAPI: config with prefix, paging, namespaces of levels, lent credentials). */
export class RestCatalog implements IcebergCatalog {
  private agreed: Promise<Agreed> | null = null;

  constructor(
    private readonly settings: RestSettings,
    private readonly http: RestHttp,
    private readonly stores: LentStores,
  ) {}

  listNamespaces(options: CallOptions): AsyncIterable<readonly string[]> {
    return this.below([], options);
  }

  async *listTables(namespace: readonly string[], options: CallOptions): AsyncIterable<TableName> {
    const path = ['namespaces', await this.joined(namespace, options), 'tables'];
    for await (const page of this.pages(path, {}, options)) {
      for (const one of page.objects('identifiers'))
        yield { namespace: one.texts('namespace'), name: one.text('name') };
    }
  }

  async load({ namespace, name }: TableName, options: CallOptions): Promise<LoadedTable> {
    const path = ['namespaces', await this.joined(namespace, options), 'tables', name];
    const headers = { 'x-iceberg-access-delegation': 'vended-credentials' };
    const answer = JsonReader.of(await this.get(path, {}, options, largestMetadata, headers), name);
    const metadata = readMetadata(answer.raw('metadata') as Json, name);
    const location = answer.has('metadata-location')
      ? answer.text('metadata-location')
      : `${metadata.location}/metadata/-`;
    this.refuseFiles(location);
    const store: ObjectStore = this.stores.storeFor(lentCredentials(answer, location));
    return loadedTable(metadata, location, store, this.settings.allowed);
  }

  async close(): Promise<void> {
    this.stores.close();
    await this.http.close();
  }

  /** A catalog could otherwise make us read our own disk. */
  private refuseFiles(location: string): void {
    const isFile = parseUri(location).scheme === 'file';
    if (!isFile || this.settings.allowed.some((root) => parseUri(root).scheme === 'file')) return;
    throw new ConnectorFault('outside_root', `${location}: files are not read on the word of a catalog`);
  }

  private async *below(above: readonly string[], options: CallOptions): AsyncIterable<readonly string[]> {
    if (above.length >= deepestNamespace) return;
    const query: Record<string, string> = above.length > 0 ? { parent: await this.joined(above, options) } : {};
    for await (const page of this.pages(['namespaces'], query, options)) {
      for (const level of namespacesOf(page)) {
        if (level.length <= above.length) continue;
        yield level;
        yield* this.below(level, options);
      }
    }
  }

  private async joined(namespace: readonly string[], options: CallOptions): Promise<string> {
    return namespace.join((await this.config(options)).separator);
  }

  /** Pages until the server names no next one; a token that comes again, or too many pages, is a fault. */
  private async *pages(
    path: readonly string[],
    query: Record<string, string>,
    options: CallOptions,
  ): AsyncIterable<JsonReader> {
    const seen = new Set<string>();
    let pageToken = '';
    do {
      const page = JsonReader.of(
        await this.get(path, { ...query, pageSize, pageToken }, options, largestPage),
        path.join('/'),
      );
      yield page;
      pageToken = page.has('next-page-token') ? page.text('next-page-token') : '';
      if (seen.has(pageToken) || seen.size >= mostPages) {
        throw new ConnectorFault('invalid_answer', `${path.join('/')}: the listing has no end`);
      }
      seen.add(pageToken);
    } while (pageToken !== '');
  }

  private async get(
    path: readonly string[],
    query: Record<string, string>,
    options: CallOptions,
    limit: number,
    headers = {},
  ) {
    const { prefix } = await this.config(options);
    const places = [...prefix.split('/').filter(Boolean), ...path].map(encodeURIComponent);
    return this.http.ask(`v1/${places.join('/')}`, query, { ...options, limit, headers });
  }

  /** Asked once; after a failure anew. One caller's abort is no failure of the others: the request itself has no signal. */
  private config(options: CallOptions): Promise<Agreed> {
    options.signal?.throwIfAborted();
    this.agreed ??= this.fetchConfig().catch((error: unknown) => {
      this.agreed = null;
      throw error;
    });
    return this.agreed;
  }

  private async fetchConfig(): Promise<Agreed> {
    const { warehouse } = this.settings;
    const config = JsonReader.of(
      await this.http.ask('v1/config', warehouse ? { warehouse } : {}, { limit: largestPage }),
      'config',
    );
    const facts = { ...config.textMap('defaults'), ...config.textMap('overrides') };
    const separator = facts['namespace-separator'];
    return { prefix: facts['prefix'] ?? '', separator: separator ? decodeURIComponent(separator) : '\u001f' };
  }
}

function namespacesOf(page: JsonReader): string[][] {
  const list = page.raw('namespaces');
  if (!Array.isArray(list)) throw new ConnectorFault('invalid_answer', 'the listing of namespaces is no list');
  return (list as Json[]).map((levels) => JsonReader.of({ levels }, 'namespace').texts('levels'));
}

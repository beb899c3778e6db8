import { s3Settings, type StorageProperties, type Surroundings } from '../../storage/open-storage';
import { type S3Settings, S3Store } from '../../storage/s3.storage';
import { type ObjectStore } from '../../storage/storage.port';
import { type JsonReader } from '../json';

/** The properties a catalog lends with a table: those for the longest prefix of its location, above the table's own `config`. */
export function lentCredentials(answer: JsonReader, location: string): Readonly<Record<string, string>> {
  const fitting = answer
    .objects('storage-credentials')
    .filter((one) => location.startsWith(one.text('prefix')))
    .sort((a, b) => b.text('prefix').length - a.text('prefix').length);
  return { ...answer.textMap('config'), ...fitting[0]?.textMap('config') };
}

/** The connector's own storage, and that of credentials which a catalog lends, one per set of credentials. */
export class LentStores {
  private readonly lent = new Map<string, S3Store>();

  constructor(
    private readonly own: ObjectStore,
    private readonly properties: StorageProperties,
    private readonly surroundings: Surroundings,
  ) {}

  /** The storage to read a table with: the connector's own where nothing was lent. */
  storeFor(config: Readonly<Record<string, string>>): ObjectStore {
    const [accessKeyId, secretAccessKey] = [config['s3.access-key-id'], config['s3.secret-access-key']];
    if (!accessKeyId || !secretAccessKey) return this.own;
    const keys = { accessKeyId, secretAccessKey, sessionToken: config['s3.session-token'] };
    const settings = { ...this.placeFor(config), keys };
    const id = JSON.stringify(settings);
    const store = this.lent.get(id) ?? new S3Store(settings);
    this.lent.set(id, store);
    return store;
  }

  close(): void {
    this.own.close();
    for (const store of this.lent.values()) store.close();
  }

  /** What the connector's owner set goes before what the catalog says. */
  private placeFor(config: Readonly<Record<string, string>>): S3Settings {
    const own = s3Settings(this.properties, this.surroundings.allowPrivate);
    if (own.endpoint !== undefined) return own;
    return {
      ...own,
      region: config['s3.region'] ?? config['client.region'] ?? own.region,
      endpoint: config['s3.endpoint'],
      pathStyle: config['s3.path-style-access'] === 'true',
    };
  }
}

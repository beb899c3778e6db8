import { type S3Client, type S3ClientConfig } from '@aws-sdk/client-s3';
import { type Readable } from 'node:stream';
import { type CallOptions } from '../connector/connector.port';
import { ConnectorFault } from '../connector/fault';
import { type AwsKeys, type AwsSettings, awsClientSettings, awsFault, counted } from './aws';
import { tooLarge } from './filesystem.storage';
import { sourceBytes } from './metrics';
import { parseUri } from './object-uri';
import {
  type LimitOptions,
  type ListOptions,
  type ObjectInfo,
  type ObjectStore,
  type ReadOptions,
} from './storage.port';

/** Where S3 is; without an endpoint Amazon's own. */
export interface S3Settings extends Omit<AwsSettings, 'keys'> {
  /** Without them requests are anonymous. */
  readonly keys?: AwsKeys;
  readonly pathStyle: boolean;
}

/** The SDK wants keys even where nothing is signed with them. */
const nobody: AwsKeys = { accessKeyId: 'anonymous', secretAccessKey: 'anonymous' };
const unsigned: NonNullable<S3ClientConfig['signer']> = { sign: async (request) => request };

const pageSize = 1000;

/** The SDK takes 20 MB and 0.2 s, so it is loaded when the first connector needs it. */
const load = () => import('@aws-sdk/client-s3');

interface Sdk {
  readonly s3: Awaited<ReturnType<typeof load>>;
  readonly client: S3Client;
}

/** Objects in S3, or in what speaks like it. A body that ends early is `incomplete_answer`. */
export class S3Store implements ObjectStore {
  private readonly sdk: () => Promise<Sdk>;
  private opened: Promise<Sdk> | null = null;

  constructor(settings: S3Settings) {
    const clientSettings = {
      ...awsClientSettings({ ...settings, keys: settings.keys ?? nobody }),
      ...(settings.keys ? {} : { signer: unsigned }),
      forcePathStyle: settings.pathStyle,
      followRegionRedirects: settings.endpoint === undefined,
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    } as const;
    this.sdk = () =>
      (this.opened ??= load().then((s3) => ({ s3, client: counted(new s3.S3Client(clientSettings), 's3') })));
  }

  async read(uri: string, options: ReadOptions): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(uri, options)) pieces.push(piece);
    return Buffer.concat(pieces);
  }

  stream(uri: string, options: LimitOptions): AsyncIterable<Buffer> {
    return this.pieces(uri, options);
  }

  async stat(uri: string, { signal }: CallOptions = {}): Promise<ObjectInfo | null> {
    const { bucket, key } = s3Place(uri);
    const { s3, client } = await this.sdk();
    try {
      const head = await client.send(new s3.HeadObjectCommand({ Bucket: bucket, Key: key }), { abortSignal: signal });
      return { uri, size: head.ContentLength ?? 0, modifiedAtMs: head.LastModified?.getTime() ?? 0 };
    } catch (error) {
      const fault = awsFault(error, uri, signal);
      if (fault instanceof ConnectorFault && fault.code === 'not_found') return null;
      throw fault;
    }
  }

  async *list(prefix: string, { signal, after }: ListOptions = {}): AsyncIterable<ObjectInfo> {
    const spelled = (key: string) => `${prefix}${key.slice(s3Place(prefix).key.length)}`;
    for await (const page of this.pages(prefix, undefined, signal, after)) {
      for (const { Key, Size, LastModified } of page.Contents ?? []) {
        yield { uri: spelled(Key!), size: Size ?? 0, modifiedAtMs: LastModified?.getTime() ?? 0 };
      }
    }
  }

  async *listFolders(prefix: string, { signal }: CallOptions = {}): AsyncIterable<string> {
    const folder = prefix.endsWith('/') ? prefix : `${prefix}/`;
    const { key } = s3Place(folder);
    for await (const page of this.pages(folder, '/', signal)) {
      for (const { Prefix } of page.CommonPrefixes ?? []) yield Prefix!.slice(key.length, -1);
    }
  }

  close(): void {
    void this.opened?.then(({ client }) => client.destroy());
  }

  private async *pages(prefix: string, Delimiter?: string, abortSignal?: AbortSignal, after?: string) {
    const { bucket: Bucket, key: Prefix } = s3Place(prefix);
    const StartAfter = after === undefined ? undefined : s3Place(after).key;
    const asked = { Bucket, Prefix, Delimiter, StartAfter, MaxKeys: pageSize };
    const { s3, client } = await this.sdk();
    let ContinuationToken: string | undefined;
    do {
      const command = new s3.ListObjectsV2Command({ ...asked, ContinuationToken });
      const page = await client.send(command, { abortSignal }).catch((error: unknown) => {
        throw awsFault(error, prefix, abortSignal);
      });
      yield page;
      if (page.NextContinuationToken !== undefined && page.NextContinuationToken === ContinuationToken) {
        throw new ConnectorFault('invalid_answer', `${prefix}: the listing repeats itself`);
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
  }

  private async *pieces(uri: string, options: ReadOptions): AsyncIterable<Buffer> {
    const { body, length } = await this.answerTo(uri, options);
    let received = 0;
    try {
      if (length > options.limit) throw tooLarge(uri, length, options.limit);
      for await (const piece of body) {
        received += piece.length;
        if (received > options.limit) throw tooLarge(uri, received, options.limit);
        yield piece as Buffer;
      }
    } catch (error) {
      if (error instanceof ConnectorFault) throw error;
      throw options.signal?.aborted ? options.signal.reason : cutShort(uri, received, length);
    } finally {
      body.destroy();
      sourceBytes.inc({ from: 's3' }, received);
    }
    if (received < length) throw cutShort(uri, received, length);
  }

  /** The body as it begins to come; its length is 0 where the server does not say. */
  private async answerTo(uri: string, { range, signal }: ReadOptions): Promise<{ body: Readable; length: number }> {
    const { bucket, key } = s3Place(uri);
    const Range = range && `bytes=${range.offset}-${range.offset + range.length - 1}`;
    const { s3, client } = await this.sdk();
    const command = new s3.GetObjectCommand({ Bucket: bucket, Key: key, Range });
    const { Body, ContentLength } = await client.send(command, { abortSignal: signal }).catch((error: unknown) => {
      throw awsFault(error, uri, signal);
    });
    return { body: Body as Readable, length: ContentLength ?? 0 };
  }
}

function cutShort(uri: string, received: number, expected: number): ConnectorFault {
  return new ConnectorFault('incomplete_answer', `${uri}: ${received} of ${expected} bytes came`);
}

function s3Place(uri: string): { readonly bucket: string; readonly key: string } {
  const place = parseUri(uri);
  if (place.scheme !== 's3') throw new ConnectorFault('outside_root', `${uri}: not in S3`);
  return place;
}

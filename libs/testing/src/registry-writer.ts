import { createHash } from 'node:crypto';

/** A blob or manifest as others refer to it. */
export interface Pushed {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

export interface Push {
  readonly bytes: Buffer;
  readonly mediaType?: string;
  readonly tag?: string;
  readonly subject?: Pushed;
  readonly annotations?: Readonly<Record<string, string>>;
}

export const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const EMPTY = Buffer.from('{}');

/** Pushes artifacts as the directory's clients do (test/fixtures/directory/README.md). */
export class RegistryWriter {
  private readonly base: string;
  private readonly blobs = new Map<string, Promise<void>>();

  constructor(
    address: string,
    repository: string,
    private readonly authorization: string | null = null,
  ) {
    this.base = `http://${address}/v2/${repository}`;
  }

  /** Pushes a blob and a manifest around it, tagged or not; returns the manifest. */
  async push({ bytes, mediaType = 'application/json', tag, subject, annotations }: Push): Promise<Pushed> {
    await Promise.all([this.blob(bytes), this.blob(EMPTY)]);
    const config = { mediaType: 'application/vnd.oci.empty.v1+json', digest: digest(EMPTY), size: EMPTY.length };
    const layers = [{ mediaType, digest: digest(bytes), size: bytes.length }];
    const whole = {
      schemaVersion: 2,
      mediaType: MANIFEST,
      artifactType: MANIFEST,
      config,
      layers,
      subject,
      annotations,
    };
    return this.manifest(Buffer.from(JSON.stringify(whole)), tag);
  }

  /** Pushes any bytes as a manifest. */
  async manifest(bytes: Buffer, tag?: string, mediaType = MANIFEST): Promise<Pushed> {
    const pushed = { mediaType, digest: digest(bytes), size: bytes.length };
    await this.send('PUT', `${this.base}/manifests/${tag ?? pushed.digest}`, bytes, mediaType);
    return pushed;
  }

  /** Lists referrers under the fallback tag, as clients do where the registry lacks the referrers API. */
  async fallback(subject: Pushed, referrers: readonly Pushed[]): Promise<void> {
    const index = { schemaVersion: 2, mediaType: INDEX, manifests: referrers };
    await this.manifest(Buffer.from(JSON.stringify(index)), subject.digest.replace(':', '-'), INDEX);
  }

  async delete(reference: string): Promise<void> {
    await this.send('DELETE', `${this.base}/manifests/${reference}`);
  }

  /** Pushes a blob, once. */
  blob(bytes: Buffer): Promise<void> {
    const known = this.blobs.get(digest(bytes)) ?? this.upload(bytes);
    this.blobs.set(digest(bytes), known);
    return known;
  }

  private async upload(bytes: Buffer): Promise<void> {
    const started = await this.send('POST', `${this.base}/blobs/uploads/`);
    const place = new URL(started.headers.get('location')!, this.base);
    place.searchParams.set('digest', digest(bytes));
    await this.send('PUT', place.href, bytes, 'application/octet-stream');
  }

  private async send(method: string, url: string, body?: Buffer, type?: string): Promise<Response> {
    const { authorization } = this;
    const headers = { ...(authorization && { authorization }), ...(type && { 'content-type': type }) };
    const response = await fetch(url, { method, headers, body: body && new Uint8Array(body) });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${text}`);
    return response;
  }
}

function digest(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

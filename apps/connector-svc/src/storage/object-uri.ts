import { ConnectorFault } from '../connector/fault';

/** A URI taken apart: `bucket` is empty for files, `key` has no leading slash. */
export interface ObjectUri {
  readonly scheme: 's3' | 'file';
  readonly bucket: string;
  readonly key: string;
}

/** Reads `s3://b/k` (also `s3a:`, `s3n:`), `file:/p`, `file:///p` and `/p`. Throws ConnectorFault `outside_root` for `..`, `unsupported` for the rest. */
export function parseUri(uri: string): ObjectUri {
  const parsed = parsedS3(uri) ?? parsedFile(uri);
  if (!parsed) throw new ConnectorFault('unsupported', `${uri}: only s3: and file: are read`);
  if (/(^|[/\\])\.{1,2}([/\\]|$)/.test(parsed.key) || parsed.key.includes('\0')) {
    throw new ConnectorFault('outside_root', `${uri}: a path may not climb`);
  }
  return parsed;
}

/** One spelling per object: `s3://bucket/key` or `file:///path`, without doubled slashes in paths of files. */
export function canonicalUri(uri: string): string {
  const { scheme, bucket, key } = parseUri(uri);
  return `${scheme}://${bucket}/${key}`;
}

/** Whether an object is `root` itself or lies in that folder. */
export function liesIn(uri: string, root: string): boolean {
  const [inner, outer] = [canonicalUri(uri), canonicalUri(root).replace(/\/+$/, '')];
  return inner === outer || inner.startsWith(`${outer}/`);
}

/** The folder that holds an object, without a slash at the end. */
export function folderOf(uri: string): string {
  return uri.slice(0, uri.lastIndexOf('/'));
}

function parsedS3(uri: string): ObjectUri | null {
  const parts = /^s3[an]?:\/\/([a-z0-9][a-z0-9.-]{1,254}[a-z0-9])(?:\/(.*))?$/is.exec(uri);
  return parts && { scheme: 's3', bucket: parts[1]!, key: parts[2] ?? '' };
}

function parsedFile(uri: string): ObjectUri | null {
  const parts = /^(?:file:\/\/(?=\/)|file:(?!\/\/))?\/(.*)$/is.exec(uri);
  return parts && { scheme: 'file', bucket: '', key: parts[1]!.replace(/^\/+|\/+(?=\/)/g, '') };
}

import { ConnectorFault } from '../connector/fault';
import { liesIn, parseUri } from '../storage/object-uri';

/** A path of the log without its URL encoding. Throws ConnectorFault `corrupt`. */
export function urlDecoded(path: string): string {
  if (!path.includes('%')) return path;
  try {
    return decodeURIComponent(path);
  } catch (cause) {
    throw new ConnectorFault('corrupt', `the path ${path} is not URL-encoded`, { cause });
  }
}

/** The folders whose files a table's log may name: the table's own first, then those that the connector allows (shallow clones). */
export type Roots = readonly [table: string, ...allowed: string[]];

/** The URI that a decoded path of the log means, relative to the table or absolute. Throws ConnectorFault `outside_root` for all others. */
export function insideRoots(roots: Roots, decoded: string): string {
  const absolute = /^([a-z][a-z0-9+.-]*:|[/\\])/i.test(decoded);
  if (absolute ? !roots.some((root) => lies(decoded, root)) : climbs(decoded)) {
    throw new ConnectorFault('outside_root', `${decoded}: outside the table's folder ${roots[0]}`);
  }
  return absolute ? decoded : `${roots[0]}/${decoded}`;
}

function climbs(path: string): boolean {
  return /(^|[/\\])\.{1,2}([/\\]|$)/.test(path) || path.includes('\0');
}

function lies(uri: string, root: string): boolean {
  try {
    return parseUri(uri).scheme === parseUri(root).scheme && liesIn(uri, root);
  } catch {
    return false;
  }
}

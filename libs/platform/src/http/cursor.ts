import { createHash } from 'node:crypto';
import { canonical } from './json';
import { invalid } from './asked';

/** Bytes of digest in a cursor: enough to notice a cursor of another list; it keeps nothing secret. */
const digestBytes = 9;

/** Returns the opaque text that stands for "after `last`" in a list; `list` is all that makes the list what it is. */
export function cursorOf(list: unknown, last: string): string {
  return Buffer.concat([digestOf(list), Buffer.from(last)]).toString('base64url');
}

/** Returns after which key a list goes on, null from its start. Throws HouseError for a cursor of another list, or none. */
export function afterCursor(list: unknown, cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const bytes = Buffer.from(cursor, 'base64url');
  const last = bytes.subarray(digestBytes).toString();
  if (cursorOf(list, last) === cursor && /^[0-9a-f-]+$/.test(last)) return last;
  throw invalid([{ pointer: '?cursor', message: 'is no cursor of this list: start again without it' }]);
}

function digestOf(list: unknown): Buffer {
  return createHash('sha256').update(canonical(list)).digest().subarray(0, digestBytes);
}

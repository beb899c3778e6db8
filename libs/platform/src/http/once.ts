import { HouseError } from '@homeostat/shared';
import type { Database } from '../database/database';
import { sqlState } from '../database/database';
import type { Tx } from '../database/tx';
import { Secrets } from '../secrets/secrets';
import type { Manner } from './answer';
import { invalid } from './asked';
import { canonical, type Presented, present } from './json';

/** What makes two requests the same. */
export interface Asking {
  readonly tenant: string;
  /** Who asks; not part of the sameness. */
  readonly subject: string;
  readonly key: string;
  readonly method: string;
  readonly url: string;
  readonly body: unknown;
  /** Of a service whose bodies hold secrets; what is kept of a body does not give them away. */
  readonly secrets: Secrets | undefined;
}

export interface Outcome<T> {
  readonly answer: T;
  /** How it was answered the first time; null when this was the first time. */
  readonly repeated: Manner | null;
}

interface Kept {
  readonly request_hash: string;
  readonly status: number;
  readonly location: string | null;
  readonly answer: string;
}

const lockNotAvailable = '55P03';

/** The header Idempotency-Key, null without one. Throws HouseError unless it has 1 to 255 visible ASCII characters. */
export function idempotencyKey(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (/^[\x21-\x7e]{1,255}$/.test(header)) return header;
  throw invalid([{ pointer: 'Idempotency-Key', message: 'must have 1 to 255 visible ASCII characters' }]);
}

/**
 * Runs `work` once per key and tenant within 24 hours. The key's row comes first, so of two at the same time the second
 * waits for the first and then reads its answer. What fails leaves no key behind. Throws HouseError
 * `idempotency_key_reused` where the key came with another request.
 */
export async function runOnce<T extends object>(
  database: Database,
  asking: Asking,
  manner: (answer: object) => Manner,
  work: (tx: Tx) => Promise<T>,
): Promise<Outcome<Presented<T>>> {
  try {
    return await database.transaction(async (tx) => {
      const hashes = hashesOf(asking);
      if (!(await taken(tx, asking, hashes[0]))) return repeat<Presented<T>>(await kept(tx, asking), hashes);
      const answer = present(await work(tx));
      await keep(tx, asking, manner(answer as object), answer);
      return { answer, repeated: null };
    }, asking.subject);
  } catch (error) {
    if (sqlState(error) !== lockNotAvailable) throw error;
    throw new HouseError('unavailable', 'the same request is still being worked on', { retryAfterSeconds: 1 });
  }
}

/** The one to keep, and those that may have been kept before a key was changed. */
function hashesOf({ method, url, body, secrets = new Secrets([]) }: Asking): readonly [string, ...string[]] {
  return secrets.marksOf(`${method} ${url}\n${canonical(body)}`);
}

/** True where the key is ours now. Ten keys past their time go on the way, so the table needs no sweeper. */
async function taken(tx: Tx, { tenant, key }: Asking, hash: string): Promise<boolean> {
  const rows = await tx.query(
    `WITH old AS (
       DELETE FROM idempotency_key WHERE (tenant_id, key) IN (
         SELECT tenant_id, key FROM idempotency_key
         WHERE created_at < now() - interval '24 h' AND (tenant_id, key) <> ($1, $2)
         ORDER BY created_at LIMIT 10 FOR UPDATE SKIP LOCKED))
     INSERT INTO idempotency_key AS k (tenant_id, key, request_hash) VALUES ($1, $2, $3)
     ON CONFLICT (tenant_id, key) DO UPDATE
       SET request_hash = excluded.request_hash, status = NULL, location = NULL, answer = NULL, created_at = now()
       WHERE k.created_at < now() - interval '24 h'
     RETURNING key`,
    [tenant, key, hash],
  );
  return rows.length > 0;
}

async function kept(tx: Tx, { tenant, key }: Asking): Promise<Kept> {
  const [row] = await tx.query<Kept>(
    'SELECT request_hash, status, location, answer FROM idempotency_key WHERE tenant_id = $1 AND key = $2',
    [tenant, key],
  );
  return row!;
}

/** The answer is kept as text, so that it comes back with its members in the same order. */
async function keep(tx: Tx, { tenant, key }: Asking, { status, location }: Manner, answer: unknown): Promise<void> {
  await tx.query(
    `UPDATE idempotency_key SET status = $3, location = $4, answer = to_jsonb($5::text) WHERE tenant_id = $1 AND key = $2`,
    [tenant, key, status, location, JSON.stringify(answer)],
  );
}

function repeat<T>({ request_hash: first, status, location, answer }: Kept, hashes: readonly string[]): Outcome<T> {
  if (hashes.includes(first)) return { answer: JSON.parse(answer) as T, repeated: { status, location } };
  throw new HouseError('idempotency_key_reused', 'this key was used for another request within the last 24 hours');
}

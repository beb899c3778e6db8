import type { DnsAnswer, DnsServer } from '@homeostat/testing';
import bs58 from 'bs58';
import type { House } from '../house/house';
import { until } from '../house/until';

const WITHIN_MS = 120_000;

interface Claim {
  readonly id: string;
  readonly name: string;
  readonly token: string;
}

/**
 * Claims of domains whose records are there, made while the kind is paused, with others among them that answer
 * `strangely`; resolves to the seconds from going on until all of the former are verified.
 */
export async function verified(
  { database, url }: House,
  dns: DnsServer,
  { count, strange, strangely }: { readonly count: number; readonly strange: number; readonly strangely: DnsAnswer },
  progress: (line: string) => void,
): Promise<number> {
  await steer(url, 'pause');
  const claims = await database.query<Claim>(
    `WITH claim AS (INSERT INTO domain (id, tenant_id, name, token, window_ends_at)
       SELECT id, 'default', id || '.test', md5(id::text), now() + interval '48 h'
       FROM (SELECT gen_random_uuid() AS id FROM generate_series(1, $1::integer)) AS fresh RETURNING id, name, token),
     wish AS (SELECT request_look('domains', array_agg(id)) FROM claim)
     SELECT claim.* FROM claim, wish`,
    [count + strange],
  );
  // Ids come by chance, and so do these.
  for (const [n, claim] of claims.entries())
    dns.set(recordName(claim), n < strange ? strangely : { txt: [[claim.token]] });
  await database.query('CHECKPOINT');
  const startedMs = Date.now();
  await steer(url, 'resume');
  const allVerified = async (): Promise<boolean> => {
    const [row] = await database.query<{ pending: number }>(
      `SELECT count(*)::integer AS pending FROM domain WHERE status = 'pending'`,
    );
    progress(`${row!.pending} are to be verified`);
    return row!.pending <= strange;
  };
  await until('all are verified', WITHIN_MS, allVerified, 500);
  const [row] = await database.query<{ ms: number }>(
    'SELECT extract(epoch FROM max(verified_at))::float8 * 1000 AS ms FROM domain',
  );
  await database.query(`DELETE FROM domain WHERE status = 'pending'`);
  return (row!.ms - startedMs) / 1_000;
}

function recordName({ id, name }: Claim): string {
  return `${bs58.encode(Buffer.from(id.replaceAll('-', ''), 'hex'))}-zeitwork.${name}`;
}

async function steer(url: string, what: 'pause' | 'resume'): Promise<void> {
  const answer = await fetch(`${url}/v1/kinds/domains/${what}`, { method: 'POST' });
  if (!answer.ok) throw new Error(`${what}: ${answer.status} ${await answer.text()}`);
}

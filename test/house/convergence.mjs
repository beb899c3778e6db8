import { faults, rowsOf } from './database.mjs';
import { until } from './until.mjs';

/** Looks that are due now, as text; the empty string where there are none. Domains are checked again and again. */
async function due(url) {
  const rows = await rowsOf(
    url,
    `SELECT kind, key, because FROM reconcile_status WHERE due_at <= now() AND kind <> 'domains' LIMIT 3`,
  );
  return rows.map((row) => `  due: ${JSON.stringify(row)}`).join('\n');
}

/** What the pool lacks, as text. */
async function lacking(client) {
  const { wanted, pooling } = await client.get('/v1/pool');
  return pooling === wanted ? '' : `  the pool has ${pooling} of ${wanted} VM(s)`;
}

/**
 * Resolves to the milliseconds until everything is at rest: nothing is due, the pool is full, all invariants hold.
 * Throws with what is left after `ms`. `client` asks any process that answers for the pool.
 */
export async function converged(url, client, ms) {
  const calm = async () => {
    const left = [await faults(url, { atRest: true }), await due(url), await lacking(client)].filter(Boolean);
    return left.length === 0 || left.join('\n');
  };
  return until(calm, ms, 'everything is at rest');
}

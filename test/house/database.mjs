import pg from 'pg';
import { told, violations } from '../invariants/checks.mjs';

/** Rows of one statement, over a connection of its own: the database may have been killed since the last one. */
export async function rowsOf(url, sql, values = []) {
  return session(url, async (query) => query(sql, values));
}

/** Throws with every violated row. `atRest`: also what holds only when the world has converged. */
export async function check(url, { atRest }) {
  const violated = await violationsOf(url, atRest);
  if (violated.length > 0) throw new Error(`invariants are violated:\n${told(violated)}`);
}

/** The violations as text, for a message; the empty string where there are none. */
export async function faults(url, { atRest }) {
  return told(await violationsOf(url, atRest));
}

function violationsOf(url, atRest) {
  return session(url, (query) => violations(query, { atRest }));
}

async function session(url, work) {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 5_000 });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(async (sql, values) => (await client.query(sql, values)).rows);
  } finally {
    await client.end();
  }
}

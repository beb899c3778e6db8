// Killed workers of lakehouse jobs: `node test/kills.mjs [--seed 1] [--runs 20]`
// Two processes of connector-svc read the Delta tables of the fixtures; whichever works is killed (SIGKILL) at a random moment.
// The other goes on: each catalog is the same as an undisturbed run's, its counters are true, and nothing is told twice.
import { createRequire } from 'node:module';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { prepare } from '../scripts/prepare.mjs';
import { check, rowsOf } from './house/database.mjs';
import { dice } from './house/dice.mjs';
import { startMember } from './house/member.mjs';
import { removeServer, startPostgres } from './house/postmaster.mjs';
import { until } from './house/until.mjs';

const TAKEOVER_MS = 15_000;
const PATIENCE_MS = 90_000;
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string', default: '20' } },
});
const warehouse = join(import.meta.dirname, 'fixtures/lakehouse/warehouse');
const chance = dice(Number(values.seed));

const working = `
  SELECT s.lease_holder AS holder, j.finished_at IS NULL AS open FROM reconcile_job j
  LEFT JOIN reconcile_status s ON s.kind = 'reconcile-jobs' AND s.key = j.id WHERE j.id = $1`;
const taken = `
  SELECT at FROM state_change WHERE key = $1 AND from_state = 'JS_QUEUED' AND to_state = 'JS_RUNNING' AND at > $2
  UNION ALL SELECT finished_at FROM reconcile_job WHERE id = $1 AND finished_at IS NOT NULL ORDER BY at LIMIT 1`;
const counters = `
  SELECT tables_total, tables_scanned, tables_changed, errors, snapshots_processed, stats_processed FROM reconcile_job WHERE connector_id = $1`;
const leftovers = `
  SELECT (SELECT count(*)::integer FROM snapshot_load l LEFT JOIN table_snapshot s ON s.load_id = l.id WHERE s.table_id IS NULL) AS loads,
    (SELECT count(*)::integer FROM plan_entry e LEFT JOIN snapshot_load l ON l.id = e.load_id WHERE l.id IS NULL) AS entries,
    (SELECT count(*)::integer FROM plan_file f WHERE NOT EXISTS (SELECT FROM plan_entry e WHERE e.file_id = f.id)) AS files`;

await prepare('apps/connector-svc');
const { migrate } = createRequire(import.meta.url)('../libs/platform/dist/database/migrate.js');
const dataDir = join(tmpdir(), `homeostat-kills-${process.pid}`);
const postgres = await startPostgres(dataDir);
let failed = false;
try {
  await story(postgres.url);
  console.log('passed');
} catch (error) {
  failed = true;
  console.log(`FAILED: ${error.stack}`);
} finally {
  await postgres.stop();
  await removeServer(dataDir, postgres.url);
}
process.exit(failed ? 1 : 0);

async function story(url) {
  await migrate(url);
  const fleet = await Promise.all([member(url), member(url)]);
  const undisturbed = await connector(fleet, 'undisturbed');
  await ended(fleet, url, await trigger(fleet, undisturbed));
  const [expected] = await rowsOf(url, counters, [undisturbed]);
  const table = await catalogOf(url, undisturbed);
  console.log(`   undisturbed: ${JSON.stringify(expected)}`);
  const takeovers = [];
  for (let run = 1; run <= Number(values.runs); run += 1) {
    const id = await connector(fleet, `run ${run}`);
    const job = await trigger(fleet, id);
    takeovers.push(...(await killDuring(url, fleet, job)));
    await ended(fleet, url, job);
    const [counted] = await rowsOf(url, counters, [id]);
    same(`the counters of run ${run}`, counted, expected);
    same(`the catalog of run ${run}`, await catalogOf(url, id), table);
  }
  await check(url, { atRest: false });
  same('what is left over', await rowsOf(url, leftovers), [{ loads: 0, entries: 0, files: 0 }]);
  for (const one of fleet) await one.end('SIGTERM');
  takeovers.sort((a, b) => a - b);
  console.log(
    `   ${takeovers.length} jobs were taken over; after ${takeovers.at(Math.floor(takeovers.length / 2))} ms (p50), ${takeovers.at(-1)} ms (most)`,
  );
  if (takeovers.at(-1) > TAKEOVER_MS) throw new Error(`a takeover took more than ${TAKEOVER_MS} ms`);
}

function member(url) {
  const settings = {
    RECONCILER_DATABASE_URL: url,
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_FILE_ROOTS: warehouse,
  };
  return startMember('connector-svc', ['apps/connector-svc/dist/main.js'], settings, PATIENCE_MS);
}

async function post([{ url }], path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  const answer = await response.json();
  if (!response.ok) throw new Error(`POST ${path}: ${JSON.stringify(answer)}`);
  return answer.id;
}

function connector(fleet, display_name) {
  return post(fleet, 'connectors', { display_name, kind: 'delta', source: { uri: warehouse, namespace: 'lake' } });
}

function trigger(fleet, id) {
  return post(fleet, `connectors/${id}/trigger`, {});
}

/** Kills who works on the job, once, at a random moment, and starts another; returns after how long the job was taken over. */
async function killDuring(url, fleet, job) {
  await sleep(chance.between(0, 1_500));
  const [{ holder, open }] = await rowsOf(url, working, [job]);
  const victim = fleet.findIndex(({ pid }) => holder === `${hostname()}/${pid}`);
  if (!open || victim < 0) return [];
  const killedAt = Date.now();
  await fleet[victim].end('SIGKILL');
  fleet[victim] = await member(url);
  const isTaken = async () => (await rowsOf(url, taken, [job, new Date(killedAt)])).length > 0;
  await until(isTaken, PATIENCE_MS, `job ${job} is taken over`);
  const [{ at }] = await rowsOf(url, taken, [job, new Date(killedAt)]);
  return [at.getTime() - killedAt];
}

async function ended([{ url: address }], url, job) {
  const response = await fetch(`${address}/v1/reconcile-jobs/${job}?wait=JS_SUCCEEDED&timeout=${PATIENCE_MS / 1_000}s`);
  const { state, message } = await response.json();
  if (state !== 'JS_SUCCEEDED') throw new Error(`job ${job} is ${state}: ${message}`);
}

function same(what, found, expected) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one.slice(0, 2_000)}\n   and not: ${other.slice(0, 2_000)}`);
}

/** A digest of each snapshot that a connector brought, with its statistics and its plan. */
function catalogOf(url, connectorId) {
  return rowsOf(
    url,
    `SELECT t.name, t.current_snapshot_id, s.snapshot_id, s.in_current_lineage, l.record_count, l.data_bytes,
       (SELECT md5(string_agg(f.body, '' ORDER BY e.n)) FROM plan_entry e JOIN plan_file f ON f.id = e.file_id WHERE e.load_id = l.id) AS plan,
       (SELECT md5(string_agg(c.body, '' ORDER BY c.n)) FROM snapshot_column c WHERE c.load_id = l.id) AS columns
     FROM catalog_table t JOIN table_snapshot s ON s.table_id = t.id LEFT JOIN snapshot_load l ON l.id = s.load_id
     WHERE t.connector_id = $1 ORDER BY t.name, s.snapshot_id`,
    [connectorId],
  );
}

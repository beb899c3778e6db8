// The directory from end to end: `node test/directory.mjs`
// 200 records that their domain's key has signed lie in a registry with a password. They are synced, seen on their way,
// indexed, found by every kind of query, and their names verified. Then the domain takes its key back: the names lapse
// after the grace, and not before.
import { generateKeyPairSync } from 'node:crypto';
import { createRequire } from 'node:module';
import { prepare } from '../scripts/prepare.mjs';
import { get, post, startService, startSyncService } from './directory/member.mjs';
import { publish } from './directory/records.mjs';
import { openServers } from './directory/servers.mjs';
import { check, rowsOf } from './house/database.mjs';
import { until } from './house/until.mjs';

const RECORDS = 200;
const PATIENCE_MS = 120_000;
const TTL_MS = 4_000;
const GRACE_MS = 8_000;

await prepare('apps/homeostat');
const require = createRequire(import.meta.url);
const { JwksDomains } = require('../libs/testing/dist/jwks-server.js');
const { queryKinds } = require('../apps/sync-svc/dist/search/query.js');
const servers = await openServers();
const domains = await JwksDomains.make();
const ours = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const others = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const members = [];
let failed = false;
try {
  await story();
  console.log('passed');
} catch (error) {
  failed = true;
  console.log(`FAILED: ${error.stack}\n${members.map(({ said }) => said()).join('\n')}`);
} finally {
  for (const { end } of members) await end('SIGTERM');
  await domains.stop();
  domains.forget();
  await servers.close();
}
process.exit(failed ? 1 : 0);

async function story() {
  const domain = await domains.start(jwks(ours));
  const records = Array.from({ length: RECORDS }, (_, at) => recordOf(domain.domain, at));
  await publish(servers, records, ours);
  const peer = await startSyncService(servers, servers.peerUrl, servers.remote, {
    ...servers.peerLogin,
    RECONCILER_INDEXER_ENABLED: 'false',
  });
  const sync = await startSyncService(servers, servers.url, servers.local);
  const names = await startService('domain-svc', {
    RECONCILER_DATABASE_URL: servers.url,
    RECONCILER_NAME_CA_FILE: domains.caFile,
    RECONCILER_NAME_INTERVAL: '1s',
    RECONCILER_NAME_TTL: `${TTL_MS}ms`,
    RECONCILER_NAME_GRACE: `${GRACE_MS}ms`,
  });
  members.push(peer, sync, names);
  await synced(sync, peer);
  await found(sync, domain.domain);
  await counted(names, 'verified', RECORDS);
  console.log(`   ${RECORDS} names are verified`);
  await lapsed(names, sync, domain);
  await check(servers.url, { atRest: false });
}

async function synced(sync, peer) {
  const { id } = await post(sync, 'syncs', { remote_directory_url: peer.url });
  const seen = new Set();
  const isDone = async () => {
    const { status, message, progress } = await get(sync, `syncs/${id}`);
    if (status === 'FAILED') throw new Error(message);
    seen.add(progress.done);
    return status === 'COMPLETED' && progress.done === RECORDS;
  };
  await until(isDone, PATIENCE_MS, 'the sync is completed');
  if (![...seen].some((done) => done > 0 && done < RECORDS)) throw new Error('no progress was seen');
  const all = async () => (await countOf(sync, 'signed:true')) === RECORDS;
  await until(all, PATIENCE_MS, 'all records are indexed with their signatures');
  console.log(`   ${RECORDS} records are synced and indexed; progress: ${[...seen].join(', ')}`);
}

/** Every kind of query finds what it should, and nothing where it is negated. */
async function found(sync, domain) {
  const queries = queriesOf(domain);
  const forgotten = queryKinds.filter((kind) => !(kind in queries));
  if (forgotten.length > 0) throw new Error(`nobody asks by ${forgotten.join(', ')}`);
  await until(async () => (await countOf(sync, 'verified:true')) === RECORDS, PATIENCE_MS, 'all names are verified');
  for (const [kind, [value, wanted]] of Object.entries(queries)) {
    const [those, rest] = [await countOf(sync, `${kind}:${value}`), await countOf(sync, `!${kind}:${value}`)];
    if (those !== wanted || rest !== RECORDS - wanted)
      throw new Error(`${kind}:${value} finds ${those}, and !${kind}:${value} ${rest}; wanted are ${wanted}`);
  }
  console.log(`   they are found by ${queryKinds.length} kinds of queries`);
}

/** Not one lapses within its grace, and all of them do after it. */
async function lapsed(names, sync, domain) {
  const rotatedAt = Date.now();
  domain.answer = jwks(others);
  await counted(names, 'failed', RECORDS);
  const [{ grace, missed }] = await rowsOf(
    servers.url,
    `SELECT (extract(epoch FROM min(c.at - v.failing_since)) * 1000)::float8 AS grace,
       (extract(epoch FROM min(v.failing_since)) * 1000)::float8 AS missed
     FROM state_change c JOIN name_verification v ON v.id = c.key WHERE c.kind = 'name-verifications' AND c.to_state = 'failed'`,
  );
  if (!(grace >= GRACE_MS && missed >= rotatedAt))
    throw new Error(`a name lapsed ${grace} ms after its key was missed`);
  await until(async () => (await countOf(sync, 'verified:true')) === 0, PATIENCE_MS, 'no name is found as verified');
  const [missedMs, lapsedMs] = [missed - rotatedAt, grace].map(Math.round);
  console.log(`   the key was missed after ${missedMs} ms; each name lapsed at least ${lapsedMs} ms after that`);
}

function counted(names, status, wanted) {
  const so = async () => (await get(names, `name-verifications?status=${status}&limit=500`)).items.length === wanted;
  return until(so, PATIENCE_MS, `${wanted} names are ${status}`);
}

async function countOf(sync, query) {
  return (await get(sync, `records/count?query=${encodeURIComponent(query)}`)).count;
}

function jwks({ publicKey }) {
  return JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'signing' }] });
}

function recordOf(domain, at) {
  return {
    ...{ name: `https://${domain}/agents/${at}`, version: `1.${at}.0`, schema_version: at < 50 ? '0.8.0' : '1.0.0' },
    ...{ description: 'A record of this test.', authors: [at % 2 === 0 ? 'Ada' : 'Grace'] },
    created_at: new Date(Date.UTC(2026, 0, 1, 0, at)).toISOString(),
    skills: [at % 4 === 0 ? { id: 10_201, name: 'text_completion' } : { id: 50_201, name: 'text_to_code' }],
    domains: [at % 5 === 0 ? { id: 301, name: 'life_science' } : { id: 101, name: 'technology' }],
    modules: [at % 10 === 0 ? { id: 11, name: 'integration/mcp' } : { id: 12, name: 'core/llm' }],
    locators: [{ type: at < 20 ? 'helm_chart' : 'docker_image', url: `https://images.example/agent:${at}` }],
    annotations: { tier: at < 10 ? 'gold' : 'silver' },
  };
}

/** A value for each kind of query, and how many records have it. */
function queriesOf(domain) {
  return {
    name: [`https://${domain}/agents/1?`, 10],
    version: ['<1.20.0', 20],
    'schema-version': ['0.8.0', 50],
    'created-at': ['<2026-01-01T00:30:00Z', 30],
    author: ['ada', RECORDS / 2],
    skill: ['text_completion', RECORDS / 4],
    'skill-id': ['10201', RECORDS / 4],
    'skill-name': ['*completion', RECORDS / 4],
    domain: ['301', RECORDS / 5],
    'domain-id': ['301', RECORDS / 5],
    'domain-name': ['life*', RECORDS / 5],
    module: ['integration/mcp', RECORDS / 10],
    'module-id': ['11', RECORDS / 10],
    'module-name': ['integration/*', RECORDS / 10],
    locator: ['helm_chart', 20],
    'locator-type': ['helm*', 20],
    'locator-url': ['https://images.example/agent:1', 1],
    annotation: ['tier=gold', 10],
    verified: ['true', RECORDS],
    signed: ['true', RECORDS],
  };
}

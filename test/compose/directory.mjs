import { generateKeyPairSync } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { publish } from '../directory/records.mjs';
import { until } from '../house/until.mjs';
import { Client } from '../load/client.mjs';

const require = createRequire(import.meta.url);
const RECORDS = 10;
const PATIENCE_MS = 30_000;
const settings = `
RECONCILER_LOCAL_REGISTRY_ADDRESS=registry:5000
RECONCILER_LOCAL_REGISTRY_INSECURE=true
RECONCILER_ALLOW_PRIVATE_ADDRESSES=true
`;

/**
 * Adds the profile `directory` to a fleet that runs: regsync mirrors records from one repository of its registry into the
 * one that is indexed, and they are found with their signatures.
 */
export async function directory(fleet, admin) {
  const { programPath } = require('../../libs/testing/dist/registries.js');
  const [registry, regsync] = ['registry', 'regsync'].map((name) => programPath(name));
  if (!registry || !regsync) throw new Error('`node test/registries.mjs` brings what the directory needs');
  fleet.env.TEST_PROGRAMS = dirname(regsync);
  fleet.args.push('--profile', 'directory');
  await appendFile(fleet.env.HOMEOSTAT_SETTINGS, settings);
  await fleet.compose('build', 'regsync', 'registry');
  await fleet.up();
  const remote = { address: (await fleet.compose('port', 'registry', '5000')).trim() };
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await publish({ remote, repository: 'upstream' }, Array.from({ length: RECORDS }, recordOf), keys);
  await mirrored(new Client((path) => fleet.urlsFor(path), admin));
}

async function mirrored(client) {
  const wanted = { remote_registry_address: 'registry:5000', remote_repository_name: 'upstream', insecure: true };
  const { body: sync } = await client.post('/v1/syncs', wanted);
  const { status, message } = await client.get(`/v1/syncs/${sync.id}?wait=COMPLETED&timeout=15s`);
  if (status !== 'COMPLETED') throw new Error(`the sync is ${status}: ${message}`);
  const isFound = async () => (await client.get('/v1/records/count?query=signed:true')).count === RECORDS;
  await until(isFound, PATIENCE_MS, 'all records are indexed, and signed');
}

function recordOf(_, at) {
  return {
    ...{ name: `agent-${at}`, version: '1.0.0', schema_version: '1.0.0', description: 'A record of this test.' },
    ...{ authors: ['test'], created_at: '2026-01-01T00:00:00Z', skills: [{ id: 10_201, name: 'text_completion' }] },
  };
}

import { type Running, issueToken, serve } from '@homeostat/platform';
import { REGISTRY_ID } from '@homeostat/shared';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { syncService } from './sync.module';

const secret = 'a secret of these tests, and of no use elsewhere';
const id = uuidv7();
const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';
let database: TestDatabase;
let running: Running;

beforeAll(async () => {
  database = await testDatabase();
  await database.sql(
    `INSERT INTO record (id, tenant_id, cid, status, manifest_digest, name, version, version_key)
     VALUES ($1, 'system', $2, 'indexed', 'sha256:a', 'agent', '1', '')`,
    [id, cid],
  );
  running = await serve([syncService], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_AUTH_SECRET: secret,
  });
});
afterAll(async () => {
  await running.stop();
  await database.close();
});

async function statusOf(method: string, path: string, scopes: ('read' | 'write' | 'admin')[]): Promise<number> {
  const token = await issueToken(secret, { subject: 'somebody', tenant: 'acme', scopes, expiresInSeconds: 60 });
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  return (await fetch(`${running.url}/v1/${path}`, { method, headers })).status;
}

describe('the directory is one for all tenants', () => {
  it.each([
    ...['records', 'records/count', 'cids', `records/${cid}`, `records/${id}`, 'resolve/agent', 'registry'],
    ...[`records/${id}/explain`, `records/${id}/history`, 'records?query=name:agent'],
  ])('any of them reads %s', async (path) => {
    expect(await statusOf('GET', path, ['read'])).toBe(200);
    expect(await statusOf('GET', path, ['write'])).toBe(403);
  });

  it.each([
    `records/${id}/retry`,
    `records/${id}/pause`,
    `registry/${REGISTRY_ID}/retry`,
    `registry/${REGISTRY_ID}/pause`,
  ])('only an admin does %s', async (path) => {
    expect(await statusOf('POST', path, ['read', 'write'])).toBe(403);
    expect(await statusOf('POST', path, ['admin'])).toBe(200);
  });
});

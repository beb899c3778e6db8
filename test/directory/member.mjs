import { startMember } from '../house/member.mjs';

const READY_MS = 90_000;

/** Starts a service of the house, which may go to addresses that are not public, and waits until it is ready. */
export function startService(name, settings) {
  const common = { RECONCILER_LOG_LEVEL: 'error', RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true' };
  return startMember(name, [`apps/${name}/dist/main.js`], { ...common, ...settings }, READY_MS);
}

/** Starts a sync-svc with one of the registries of `openServers`. */
export function startSyncService({ regsync }, url, { address }, more = {}) {
  return startService('sync-svc', {
    RECONCILER_DATABASE_URL: url,
    RECONCILER_LOCAL_REGISTRY_ADDRESS: address,
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    RECONCILER_REGSYNC_BINARY: regsync,
    ...more,
  });
}

export async function get({ url }, path) {
  const response = await fetch(`${url}/v1/${path}`);
  if (!response.ok) throw new Error(`GET ${path}: ${await response.text()}`);
  return response.json();
}

export async function post({ url }, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${path}: ${await response.text()}`);
  return response.json();
}

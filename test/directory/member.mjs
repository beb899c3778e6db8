import { start } from '../house/child.mjs';
import { freePort } from '../house/free-port.mjs';
import { until } from '../house/until.mjs';

const READY_MS = 90_000;

/** Starts a service of the house, and waits until it is ready. */
export async function startMember(name, settings) {
  const port = await freePort();
  const process = start(`apps/${name}/dist/main.js`, [], {
    RECONCILER_HTTP_PORT: String(port),
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true',
    ...settings,
  });
  const address = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${address}/readyz`)).ok, READY_MS, `${name} is ready`).catch((error) => {
    throw new Error(`${error.message}\n${process.said()}`);
  });
  return { ...process, address };
}

/** Starts a sync-svc with one of the registries of `openServers`. */
export function startSyncService({ regsync }, url, { address }, more = {}) {
  return startMember('sync-svc', {
    RECONCILER_DATABASE_URL: url,
    RECONCILER_LOCAL_REGISTRY_ADDRESS: address,
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    RECONCILER_REGSYNC_BINARY: regsync,
    ...more,
  });
}

export async function get({ address }, path) {
  const response = await fetch(`${address}/v1/${path}`);
  if (!response.ok) throw new Error(`GET ${path}: ${await response.text()}`);
  return response.json();
}

export async function post({ address }, path, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(`${address}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${path}: ${await response.text()}`);
  return response.json();
}

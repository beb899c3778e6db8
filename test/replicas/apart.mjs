import { start } from '../house/child.mjs';
import { converged } from '../house/convergence.mjs';
import { startMember } from '../house/member.mjs';
import { Client } from '../load/client.mjs';

/** By looking alone: a poll of 5 s, a few times. */
const PATIENCE_MS = 60_000;

/** Runs each service in a process of its own, and walks a deployment and a domain through them. Throws what is wrong. */
export async function apart(databaseUrl, { dns }) {
  await migrated(databaseUrl);
  const settings = {
    RECONCILER_DATABASE_URL: databaseUrl,
    RECONCILER_DNS_SERVERS: dns.address,
    RECONCILER_LOG_LEVEL: 'warn',
  };
  const names = ['domain-svc', 'deploy-svc', 'vm-pool-svc', 'sync-svc', 'connector-svc'];
  const services = await Promise.all(names.map((name) => served(name, settings)));
  const [domains, deploy, pool] = services.map(({ url }) => url);
  try {
    await post(`${pool}/v1/regions`, { name: 'local' });
    await Promise.all([deployed(deploy), verified(domains, dns)]);
    console.log(
      `   at rest after ${Math.round(await converged(databaseUrl, new Client(() => [pool]), PATIENCE_MS))} ms`,
    );
  } finally {
    for (const service of services) await service.end('SIGTERM');
  }
  for (const { name, ended } of services) {
    const how = await ended;
    if (how !== 0) throw new Error(`${name}: SIGTERM ended it with ${how}`);
  }
}

async function migrated(url) {
  const migration = start('apps/homeostat/dist/main.js', ['migrate'], { RECONCILER_DATABASE_URL: url });
  if ((await migration.ended) !== 0) throw new Error(`homeostat migrate failed:\n${migration.said()}`);
}

function served(name, settings) {
  return startMember(name, ['scripts/serve.mjs', name], settings, PATIENCE_MS);
}

async function deployed(url) {
  const startedMs = performance.now();
  const project = await post(`${url}/v1/projects`, { name: 'shop' });
  const environment = await post(`${url}/v1/environments`, { project_id: project.id, name: 'production' });
  const wish = { project_id: project.id, environment_id: environment.id, commit: 'c1' };
  const { id } = await post(`${url}/v1/deployments`, wish);
  const { build_id } = await waited(`${url}/v1/deployments/${id}`, 'building');
  await post(`${url}/v1/builds/${build_id}/start`, { builder: 'one' });
  await post(`${url}/v1/builds/${build_id}/ready`, { image: { registry: 'registry.test', repository: 'shop' } });
  const { status, vm_id } = await waited(`${url}/v1/deployments/${id}`, 'ready');
  if (status !== 'ready' || !vm_id) throw new Error(`the deployment is ${status} after ${PATIENCE_MS} ms`);
  console.log(`   a deployment was ready after ${Math.round(performance.now() - startedMs)} ms`);
}

async function verified(url, dns) {
  const { id, record } = await post(`${url}/v1/domains`, { name: 'shop.example' });
  dns.set(record.name, { txt: [[record.value]] });
  const { status } = await waited(`${url}/v1/domains/${id}`, 'verified');
  if (status !== 'verified') throw new Error(`the domain is ${status} after ${PATIENCE_MS} ms`);
}

async function waited(url, status) {
  return (await fetch(`${url}?wait=${status}&timeout=${PATIENCE_MS / 1000}s`)).json();
}

async function post(url, body) {
  const headers = { 'content-type': 'application/json' };
  const response = await fetch(url, { method: 'POST', headers, body: JSON.stringify(body) });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

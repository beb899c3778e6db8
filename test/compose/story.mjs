import { Client } from '../load/client.mjs';

const image = (tag) => ({ image: { registry: 'registry.test', repository: 'shop', tag } });

/**
 * What people do to the platform, over the published ports (test/story/platform.spec.ts tells it in full): a deployment is
 * built, gets a VM and is ready; a newer one takes over; one fails with its build; a domain is verified; nobody sees what
 * belongs to others. `name` tells one telling from the next. Resolves to the deployments that are there; throws what is wrong.
 */
export async function story({ urls, world, admin, name }) {
  const clientOf = async (tenant, ...scopes) => new Client(urls, await world.token(tenant, scopes));
  const acme = await clientOf('acme', 'read', 'write');
  const builder = await clientOf('acme', 'build');
  const umbra = await clientOf('umbra', 'read', 'write');
  await makeRegion(new Client(urls, admin));
  await refused(new Client(urls));

  const at = await place(acme, name);
  const ready = await built({ acme, builder }, await deployed(acme, at, 'c1'));
  const newer = await built({ acme, builder }, await deployed(acme, at, 'c2'));
  same((await becomes(acme, 'inactive', ready)).reason, 'Superseded', 'the older deployment');
  const vm = await acme.get(`/v1/vms/${newer.vm_id}?wait=running&timeout=20s`);
  same(vm.status, 'running', 'its VM');
  const states = (await acme.get(`/v1/deployments/${ready.id}/history`)).items.map(({ to }) => to).reverse();
  same(states.join(), 'queued,building,ready,inactive', 'the history');

  const { id, build_id: build } = await becomes(acme, 'building', await deployed(acme, at, 'c3'));
  await builder.post(`/v1/builds/${build}/error`, { message: 'it does not compile' });
  same((await becomes(acme, 'failed', { id })).reason, 'BuildFailed', 'the deployment without a build');
  same((await umbra.once(`/v1/deployments/${id}`, { headers: umbra.own })).status, 404, 'what others see');
  await verified(acme, world.dns, `${name}.example`);
  return [ready.id, newer.id, id];
}

async function makeRegion(admin) {
  const { items } = await admin.get('/v1/regions');
  if (items.length === 0) await admin.post('/v1/regions', { name: 'local' });
}

async function refused(stranger) {
  for (const path of ['/v1/domains', '/v1/deployments', '/v1/pool']) {
    same((await stranger.once(path, {})).status, 401, `${path} without a token`);
  }
}

async function place(acme, name) {
  const { body: project } = await acme.post('/v1/projects', { name });
  const { body } = await acme.post('/v1/environments', { project_id: project.id, name: 'production' });
  return { project_id: project.id, environment_id: body.id };
}

async function deployed(acme, at, commit) {
  return (await acme.post('/v1/deployments', { ...at, commit })).body;
}

async function becomes(acme, status, { id }) {
  const found = await acme.get(`/v1/deployments/${id}?wait=${status}&timeout=20s`);
  same(found.status, status, `deployment ${id}`);
  return found;
}

async function built({ acme, builder }, deployment) {
  const { build_id: build } = await becomes(acme, 'building', deployment);
  await builder.post(`/v1/builds/${build}/start`, { builder: 'one' });
  await builder.post(`/v1/builds/${build}/ready`, image(deployment.commit));
  return becomes(acme, 'ready', deployment);
}

async function verified(acme, dns, name) {
  const { body: domain } = await acme.post('/v1/domains', { name });
  dns.set(domain.record.name, { txt: [[domain.record.value]] });
  const { status } = await acme.get(`/v1/domains/${domain.id}?wait=verified&timeout=20s`);
  same(status, 'verified', name);
  await acme.remove(`/v1/domains/${domain.id}`);
}

function same(is, wanted, what) {
  if (is !== wanted)
    throw new Error(`${what}: ${JSON.stringify(is)}, where ${JSON.stringify(wanted)} was to be expected`);
}

/** Which service answers for which paths (spec 0, "Where"): the first word after `/v1/`. */
const owned = {
  'domain-svc': ['domains', 'name-verifications'],
  'deploy-svc': ['projects', 'environments', 'deployments', 'builds', 'images'],
  'vm-pool-svc': ['regions', 'vms', 'claims', 'pool'],
  'sync-svc': ['registry', 'records', 'cids', 'resolve', 'syncs', 'registry-credentials'],
  'connector-svc': ['connectors', 'reconcile-jobs', 'catalogs', 'namespaces', 'tables'],
};

export const serviceNames = Object.keys(owned);

/** The name of the service that a request with this path is for. */
export function serviceFor(path) {
  const [, kind] = /^\/v1\/([\w-]+)/.exec(path) ?? [];
  const name = serviceNames.find((one) => owned[one].includes(kind));
  if (!name) throw new Error(`${path} belongs to no service`);
  return name;
}

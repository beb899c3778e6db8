import pg from 'pg';

const open = new Set(['gateway', 'postgres']);

/** What keeps the parts of the fleet apart: throws each fence that is down. */
export async function fences(fleet) {
  const found = await fleet.inspected();
  const down = [...found.flatMap(opened), ...(await trespasses(fleet))];
  if (down.length > 0) throw new Error(`fences are down:\n${down.join('\n')}`);
}

/** Containers that may write, that run as root, that may gain rights, or that others than this machine can reach. */
function opened({ Name, Config, HostConfig, NetworkSettings }) {
  const service = Config.Labels['com.docker.compose.service'];
  const ports = Object.values(NetworkSettings.Ports).flatMap((bound) => bound ?? []);
  const faults = {
    'runs as root': ['', '0', 'root'].includes(Config.User),
    'has capabilities': HostConfig.CapDrop?.[0] !== 'ALL' || HostConfig.CapAdd?.length > 0,
    'may gain rights': !HostConfig.SecurityOpt?.includes('no-new-privileges:true'),
    'has a root file system to write to': !HostConfig.ReadonlyRootfs,
    'has no bound for its memory': !HostConfig.Memory,
    'publishes a port': ports.length > 0 && !open.has(service),
    'publishes a port beyond loopback': ports.some(({ HostIp }) => HostIp !== '127.0.0.1'),
  };
  return Object.keys(faults).flatMap((fault) => (faults[fault] ? [`${Name} ${fault}`] : []));
}

/** What a login of a service can do beyond taking its role. */
async function trespasses({ loginUrl }) {
  const client = new pg.Client({ connectionString: loginUrl('deploy-svc') });
  await client.connect();
  const refused = (sql) =>
    client.query(sql).then(
      () => [`deploy-svc can ${sql}`],
      () => [],
    );
  const tried = ['SELECT FROM deployment', 'SET ROLE homeostat_vm_pool', 'SET ROLE homeostat', 'CREATE TABLE mine ()'];
  const found = [];
  for (const sql of tried) found.push(...(await refused(sql)));
  await client.query('SET ROLE homeostat_deploy');
  await client.query('SELECT FROM deployment LIMIT 1');
  found.push(...(await refused('DELETE FROM vm')));
  await client.end();
  return found;
}

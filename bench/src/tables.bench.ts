import { randomBytes } from 'node:crypto';
import { type ChildServer, lakehouseKeys, registerTables, startAws, startIcebergRest } from '@homeostat/testing';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { lakehouseServers, findLakehouse } from './harness/needs';
import { stoppable } from './house/cleanup';
import { openHouse } from './house/house';
import { writeIcebergTable } from './lakehouse/iceberg-writer';
import { connect, reconciled, sourceRequests } from './lakehouse/jobs';

const AT_ONCE = 8;
const NAMESPACE = 'small';
const size = { files: 2, columns: 4, filesPerManifest: 10 };

/** Many small tables of a real REST catalog over S3: how many a second, and what it costs to see that nothing is new. */
export const tables: Benchmark = {
  name: 'tables',
  about: `Iceberg tables of one snapshot and ${size.files} files, in Iceberg's REST catalog over moto's S3, ${AT_ONCE} at a time, ingested and then looked at again`,
  count: 1_000,
  smoke: 4,
  needs: [lakehouseServers],
  settings: { max_parallel: String(AT_ONCE) },
  figures: () => [
    { name: 'a table, ingested', unit: 'ms', bar: 50 },
    { name: 'tables ingested per second', unit: '/s' },
    { name: 'requests per table, ingested', unit: '' },
    { name: 'a table with nothing new', unit: 'ms' },
    { name: 'requests per table with nothing new', unit: '', bar: 3 },
  ],
  run,
};

async function run({ count, set, profileDir, progress }: Settings): Promise<Measured> {
  const lake = await stoppable(async (undo) => {
    const programs = findLakehouse();
    const aws = await startAws(programs);
    undo.push(() => aws.close());
    const rest = await startIcebergRest(programs, aws);
    undo.push(() => rest.close());
    return { aws, rest };
  });
  try {
    progress('writing the tables');
    await fill(lake.aws, lake.rest, count);
    const secrets = { RECONCILER_SECRETS_KEY: randomBytes(32).toString('base64') };
    const settings = { RECONCILER_ALLOW_PRIVATE_ADDRESSES: 'true', ...secrets, ...set };
    const house = await openHouse({ settings, profileDir });
    try {
      const properties = { catalog: 'rest', s3_endpoint: lake.aws.url, s3_path_style: 'true' };
      const source = { uri: lake.rest.url, namespace: NAMESPACE, properties };
      const policy = { interval: '24h', enabled: false, max_parallel: AT_ONCE };
      const auth = { scheme: 'none', ...lakehouseKeys };
      const connector = await connect(house, { display_name: 'small tables', kind: 'iceberg', source, auth, policy });
      const looked = async () => {
        const before = await sourceRequests(house);
        const { ms, tables_total } = await reconciled(house, connector);
        if (tables_total !== count) throw new Error(`of ${count} tables ${tables_total} were found`);
        return { ms: ms / count, requests: ((await sourceRequests(house)) - before) / count };
      };
      progress('reading them');
      const first = await looked();
      progress('looking again');
      const second = await looked();
      return {
        ...{ 'a table, ingested': first.ms, 'tables ingested per second': 1_000 / first.ms },
        ...{ 'requests per table, ingested': first.requests, 'a table with nothing new': second.ms },
        'requests per table with nothing new': second.requests,
      };
    } finally {
      await house.stop();
    }
  } finally {
    await lake.stop();
  }
}

/** Writes tables into S3, and registers them in the catalog. */
async function fill(aws: ChildServer, rest: ChildServer, count: number): Promise<void> {
  const send = async (path: string, body: Buffer | string): Promise<void> => {
    const answer = await fetch(`${aws.url}/${path}`, { method: 'PUT', body });
    if (!answer.ok) throw new Error(`PUT ${path}: ${answer.status}`);
  };
  await send('warehouse', '');
  const table = async (n: number): Promise<string[]> => {
    const root = `warehouse/${NAMESPACE}/table_${n}`;
    const put = (name: string, bytes: Buffer | string) => send(`${root}/${name}`, bytes);
    const metadata_location = await writeIcebergTable({ root: `s3://${root}`, put }, size);
    return registerTables(rest, [{ name: `${NAMESPACE}.table_${n}`, metadata_location }]);
  };
  for (let n = 0; n < count; n += AT_ONCE) {
    const some = Array.from({ length: Math.min(AT_ONCE, count - n) }, (_, at) => table(n + at));
    if ((await Promise.all(some)).flat().length > 0) throw new Error('the catalog refused a table');
  }
}

import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { mirrored } from './directory/mirror';
import { type Searched, searched } from './directory/searches';
import { indexedWorld } from './directory/world';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { registries } from './harness/needs';
import { stoppable } from './house/cleanup';
import { type House, type HouseOptions, openHouse } from './house/house';
import { until } from './house/until';

const WITHIN_MS = 600_000;
/** At 50 a second. */
const MOST_SEARCHES = 1_500;
/** Listings without a change: the first one is cold. */
const PASSES = 2;
const BETWEEN = '1s';

/** Records per second into the index, the memory that takes, and what a full index costs: searches, and a listing without changes. */
export const directory: Benchmark = {
  name: 'directory',
  about:
    'records of 900 bytes, pulled from a registry on loopback that answers from memory; then five times as many in the index, searched over HTTP at 50/s and listed anew',
  count: 20_000,
  smoke: 40,
  needs: [registries],
  settings: {},
  figures: (count) => [
    { name: 'indexed per second', unit: '/s', atLeast: 500 },
    { name: `peak memory of the process at ${count} tags`, unit: 'MB' },
    { name: `peak memory of the process at ${less(count)} tags`, unit: 'MB' },
    { name: `search among ${more(count)} records, median`, unit: 'ms' },
    { name: `search among ${more(count)} records, 99th percentile`, unit: 'ms', bar: 20 },
    { name: 'the same by ILIKE without indexes, median', unit: 'ms' },
    { name: 'median of ours, of that', unit: '×' },
    { name: `pass over ${more(count)} tags without a change`, unit: 's' },
    { name: 'the pass beyond the listing alone', unit: 's', bar: 1 },
    { name: `sync of ${less(count)} records`, unit: 's' },
    { name: 'the same by bare regsync', unit: 's' },
    { name: 'sync, of bare regsync', unit: '×', bar: 1.3 },
  ],
  run,
};

const less = (count: number): number => Math.ceil(count / 20);
const more = (count: number): number => count * 5;

async function run(settings: Settings): Promise<Measured> {
  const { count } = settings;
  const few = await indexing(settings, less(count));
  const many = await indexing(settings, count);
  const full = await standing(settings, more(count));
  return {
    'indexed per second': count / many.seconds,
    [`peak memory of the process at ${count} tags`]: many.peakMb,
    [`peak memory of the process at ${less(count)} tags`]: few.peakMb,
    [`search among ${more(count)} records, median`]: full.p50Ms,
    [`search among ${more(count)} records, 99th percentile`]: full.p99Ms,
    'the same by ILIKE without indexes, median': full.peerMs,
    'median of ours, of that': full.p50Ms / full.peerMs,
    [`pass over ${more(count)} tags without a change`]: full.passS,
    'the pass beyond the listing alone': full.passS - full.listingS,
    ...(await syncing(settings, less(count))),
  };
}

/** Between two registries by distribution. */
async function syncing({ set, profileDir, progress }: Settings, count: number): Promise<Measured> {
  progress(`copying ${count} records by regsync, alone and led by a sync`);
  const { oursS, bareS } = await mirrored(count, { settings: set, profileDir });
  return {
    [`sync of ${count} records`]: oursS,
    'the same by bare regsync': bareS,
    'sync, of bare regsync': oursS / bareS,
  };
}

interface Registry {
  readonly address: string;
  stop(): Promise<void>;
}

function openRegistry(count: number): Promise<Registry> {
  return stoppable(async (undo) => {
    const child = fork(join(__dirname, 'directory/registry.js'), [String(count)]);
    undo.push(async () => {
      if (child.connected) child.disconnect();
      if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    });
    const [address] = (await once(child, 'message')) as [string];
    return { address };
  });
}

/** From the start of the listing until all are indexed, by the database's clock. */
async function indexing(settings: Settings, count: number): Promise<{ seconds: number; peakMb: number }> {
  const { house, registry } = await opened(settings, count);
  try {
    const allIndexed = async (): Promise<boolean> => {
      const [row] = await house.database.query<{ indexed: number }>(
        `SELECT count(*)::integer AS indexed FROM record WHERE status = 'indexed'`,
      );
      settings.progress(`${row!.indexed} of ${count} are indexed`);
      return row!.indexed === count;
    };
    await until('all are indexed', WITHIN_MS, allIndexed, 100);
    const [row] = await house.database.query<{ seconds: number }>(
      `SELECT extract(epoch FROM (SELECT max(indexed_at) FROM record) - started_at)::float8 AS seconds FROM registry`,
    );
    return { seconds: row!.seconds, peakMb: (await house.usage()).peakRssMb };
  } finally {
    await house.stop();
    await registry.stop();
  }
}

/** The index is full from the start; nothing is pulled. */
async function standing(settings: Settings, count: number): Promise<Searched & Listed> {
  const fill = (database: House['database']) => indexedWorld(database, count);
  const { house, registry } = await opened(settings, count, fill);
  try {
    settings.progress(`listing ${count} tags`);
    const listing = await unchanged(house, registry);
    settings.progress(`searching ${count} records`);
    return { ...listing, ...(await searched(house, Math.min(MOST_SEARCHES, settings.count))) };
  } finally {
    await house.stop();
    await registry.stop();
  }
}

async function opened({ set, profileDir, progress }: Settings, count: number, fill?: HouseOptions['fill']) {
  progress(`making ${count} records`);
  const registry = await openRegistry(count);
  const place = {
    RECONCILER_LOCAL_REGISTRY_ADDRESS: registry.address,
    RECONCILER_LOCAL_REGISTRY_INSECURE: 'true',
    RECONCILER_INDEXER_INTERVAL: fill ? BETWEEN : '1h',
  };
  try {
    return { registry, house: await openHouse({ settings: { ...place, ...set }, fill, profileDir }) };
  } catch (error) {
    await registry.stop();
    throw error;
  }
}

interface Listed {
  readonly passS: number;
  readonly listingS: number;
}

/** The last of some passes, and the listing by itself; the indexer rests afterwards. */
async function unchanged({ database, url }: House, { address }: Registry): Promise<Listed> {
  let passS = NaN;
  const listedAgain = async (): Promise<boolean> => {
    const [row] = await database.query<{ passS: number }>(
      `SELECT extract(epoch FROM finished_at - started_at)::float8 AS "passS" FROM registry
       WHERE listing >= ${PASSES} AND phase = 'idle'`,
    );
    passS = row?.passS ?? NaN;
    return row !== undefined;
  };
  await until('the registry is listed again', WITHIN_MS, listedAgain, 100);
  await fetch(`${url}/v1/kinds/registry/pause`, { method: 'POST' });
  const pulls = Number(await (await fetch(`http://${address}/pulls`)).text());
  if (pulls > 0) throw new Error(`${pulls} manifests and blobs were pulled, and nothing had changed`);
  return { passS, listingS: await listed(address) };
}

async function listed(address: string): Promise<number> {
  const startedMs = performance.now();
  for (let path: string | undefined = '/v2/dir/tags/list?n=1000'; path !== undefined;) {
    const answer: Response = await fetch(`http://${address}${path}`);
    await answer.json();
    path = /<(.+)>/.exec(answer.headers.get('link') ?? '')?.[1];
  }
  return (performance.now() - startedMs) / 1_000;
}

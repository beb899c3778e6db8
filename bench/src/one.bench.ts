import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median, quantile } from './harness/statistics';
import { type House, openHouse } from './house/house';

/** A single deployment at a time, with everything at its default. */
export const one: Benchmark = {
  name: 'one',
  about:
    'deployments asked for over HTTP, one after the other, each when the pool is full again; builds are ready at once',
  count: 30,
  smoke: 2,
  settings: {},
  figures: () => [
    { name: 'from the request to ready, median', unit: 'ms', bar: 30, original: 8_800 },
    { name: 'from the request to ready, 99th percentile', unit: 'ms' },
    { name: 'from created_at to ready_at, median', unit: 'ms' },
    { name: 'from created_at to ready_at, 99th percentile', unit: 'ms' },
    { name: 'from created_at to the first look, median', unit: 'ms', bar: 10 },
    { name: 'from created_at to the first look, 99th percentile', unit: 'ms' },
  ],
  run,
};

async function run({ count, set, progress, profileDir }: Settings): Promise<Measured> {
  const house = await openHouse({ settings: { ...one.settings, ...set }, profileDir });
  try {
    const project = await post(house, 'projects', { name: 'bench' });
    // The first one finds cold caches everywhere: it is not counted.
    await deployed(house, project.id, 0);
    const samples: Sample[] = [];
    for (let n = 1; n <= count; n += 1) {
      progress(`${n} of ${count}`);
      samples.push(await deployed(house, project.id, n));
    }
    return figuresOf(samples);
  } finally {
    await house.stop();
  }
}

export interface Sample {
  readonly requestMs: number;
  readonly rowsMs: number;
  readonly lookMs: number;
}

function figuresOf(samples: readonly Sample[]): Measured {
  const both = (name: string, values: readonly number[]) => [
    [`${name}, median`, median(values)],
    [`${name}, 99th percentile`, quantile(values, 0.99)],
  ];
  return Object.fromEntries([
    ...both(
      'from the request to ready',
      samples.map(({ requestMs }) => requestMs),
    ),
    ...both(
      'from created_at to ready_at',
      samples.map(({ rowsMs }) => rowsMs),
    ),
    ...both(
      'from created_at to the first look',
      samples.map(({ lookMs }) => lookMs),
    ),
  ]) as Measured;
}

/** Asks for a deployment over HTTP, the `n`-th of its project, once the pool is full, and waits until it is ready. */
export async function deployed(house: House, project_id: string, n: number): Promise<Sample> {
  const environment = await post(house, 'environments', { project_id, name: `env-${n}` });
  await poolIsFull(house);
  const startedMs = performance.now();
  const { id } = await post(house, 'deployments', { project_id, environment_id: environment.id });
  const answer = await fetch(`${house.url}/v1/deployments/${id}?wait=ready&timeout=10s`);
  const { status } = (await answer.json()) as { status: string };
  const requestMs = performance.now() - startedMs;
  if (status !== 'ready') throw new Error(`deployment ${id} is ${status} after 10 s`);
  return { requestMs, ...(await timesOf(house, id)) };
}

/** By the database's clock. The passes are listed from the last to the first, and a deployment like this has no more than five. */
async function timesOf({ database }: House, id: string): Promise<Omit<Sample, 'requestMs'>> {
  const [row] = await database.query<{ rowsMs: number; lookMs: number; step: string }>(
    `SELECT extract(epoch FROM d.ready_at - d.created_at)::float8 * 1000 AS "rowsMs", split_part(first, ' ', 4) AS step,
       split_part(first, ' ', 1)::float8 - extract(epoch FROM d.created_at)::float8 * 1000 AS "lookMs"
     FROM deployment d JOIN reconcile_status s ON s.kind = 'deployments' AND s.key = d.id
     CROSS JOIN LATERAL (SELECT s.passes[cardinality(s.passes)] AS first) AS p WHERE d.id = $1`,
    [id],
  );
  if (row!.step !== 'build') throw new Error(`the first pass over deployment ${id} is not among those kept`);
  return row!;
}

/** All VMs of the pool are up, and nothing is due. */
async function poolIsFull({ database }: House): Promise<void> {
  for (;;) {
    const [row] = await database.query<{ full: boolean }>(
      `SELECT (SELECT count(*) FROM vm WHERE status = 'pooling') = 3
         AND NOT EXISTS (SELECT FROM vm WHERE status IN ('initializing', 'starting'))
         AND NOT EXISTS (SELECT FROM reconcile_status WHERE due_at < now() + interval '1 s') AS full`,
    );
    if (row!.full) return;
    await pause(50);
  }
}

/** Makes something over HTTP. Throws unless it was made. */
export async function post({ url }: House, kind: string, body: object): Promise<{ id: string }> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${url}/v1/${kind}`, { method: 'POST', headers, body: JSON.stringify(body) });
  if (answer.status !== 201) throw new Error(`POST /v1/${kind}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as { id: string };
}

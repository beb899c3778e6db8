import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Benchmark, Measured, Settings } from './harness/benchmark';
import { median } from './harness/statistics';
import { openChild } from './house/child';
import { stoppable } from './house/cleanup';
import { openDatabase } from './house/house';
import { sharedMs } from './house/orders';
import type { Contender } from './takeover/contender';
import { type ContenderName, contenders } from './takeover/contenders';

const WITHIN_MS = 240_000;
const names = Object.keys(contenders) as ContenderName[];
const half = ({ name }: Contender): string => `${name}: from the kill to work resumed, median`;
const worst = ({ name }: Contender): string => `${name}: worst`;
/** From their sources; nobody waits for them. */
const told = {
  'pg-boss, default (expireInSeconds 15 min, not waited for)': 900,
  'graphile-worker (a lock lasts 4 h, which cannot be set; not waited for)': 14_400,
};

/** After how long the work of a process that was killed goes on in another one. */
export const takeover: Benchmark = {
  name: 'takeover',
  about: `kills of a process that works, with another one idle beside it (of slow contenders: one), all contenders at once on one server: ${names
    .map((name) => `${contenders[name].name} (${contenders[name].settings})`)
    .join('; ')}. "Fastest" is what still outlasts a process that hangs for 5.3 s, as our leases do`,
  count: 5,
  smoke: 1,
  settings: {},
  figures: () => [
    { name: worst(contenders.ours), unit: 's', bar: 15 },
    { name: 'our default, of the fastest of the others', unit: '×', bar: 1 },
    { name: 'our fastest, of the fastest of the others', unit: '×', bar: 1 },
    ...names.map((name) => ({ name: half(contenders[name]), unit: 's' })),
    ...names.slice(1).map((name) => ({ name: worst(contenders[name]), unit: 's' })),
    ...Object.keys(told).map((name) => ({ name, unit: 's' })),
  ],
  run,
};

async function run({ count, smoke, progress }: Settings): Promise<Measured> {
  const server = await stoppable(async (undo) => {
    const { url } = (await openDatabase(undo)).database;
    return { url };
  });
  try {
    progress('killing');
    const all = await Promise.all(names.map((name) => timed(name, server.url, count, smoke)));
    const measured: Readonly<Record<string, number>> = Object.assign({}, ...all);
    const best = Math.min(
      ...[contenders.bullmqFastest, contenders.bossFastest].map((one) => measured[half(one)]!).filter((s) => s > 0),
    );
    return {
      ...measured,
      ...told,
      'our default, of the fastest of the others': measured[half(contenders.ours)]! / best,
      'our fastest, of the fastest of the others': measured[half(contenders.oursFastest)]! / best,
    };
  } finally {
    await server.stop();
  }
}

async function timed(name: ContenderName, url: string, count: number, smoke: boolean): Promise<Measured> {
  const one = contenders[name];
  if (smoke && one.slow) return { [half(one)]: NaN, [worst(one)]: NaN };
  const seconds: number[] = [];
  while (seconds.length < (one.slow ? 1 : count)) seconds.push(await takenOver(name, url, smoke));
  return { [half(one)]: median(seconds), [worst(one)]: Math.max(...seconds) };
}

/** Seconds from the kill of the process that works until the other one has begun with the same. */
async function takenOver(name: ContenderName, url: string, smoke: boolean): Promise<number> {
  const pair = await stoppable(async (undo) => {
    const member = async () => {
      const child = openChild(join(__dirname, 'takeover/worker.js'));
      undo.push(child.kill);
      await child.order('start', { name, url });
      return child;
    };
    const victim = await member();
    const id = await victim.order<string>('add');
    await victim.order('begun', id);
    return { victim, id, heir: await member() };
  });
  try {
    if (!smoke) await pause(Math.random() * contenders[name].beatMs);
    const killedMs = sharedMs();
    await pair.victim.kill();
    const late = pause(WITHIN_MS, null, { ref: false });
    const begunMs = await Promise.race([pair.heir.order<number>('begun', pair.id), late]);
    if (begunMs === null) throw new Error(`${contenders[name].name}: not taken over within ${WITHIN_MS / 1_000} s`);
    return (begunMs - killedMs) / 1_000;
  } finally {
    await pair.stop();
  }
}

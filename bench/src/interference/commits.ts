import { randomUUID } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import { Database, PostgresNotebook, type Tx, processTimers } from '@homeostat/platform';
import { Loop, type Reconciler, type Witness, act, engineDefaults } from '@homeostat/reconcile';
import { stoppable } from '../house/cleanup';
import { openDatabase } from '../house/house';

const KIND = 'domains';
const CONNECTIONS = 6;

/**
 * Looks per second at `count` resources that always have another step to take, with `failing` more among them whose step
 * makes the transaction of its whole batch fail, each time.
 */
export async function looksBeside(failing: number, count: number, seconds: number): Promise<number> {
  const opened = await stoppable(async (undo) => {
    const { url } = (await openDatabase(undo)).database;
    const database = new Database({ url, role: null, application: 'interference', connections: CONNECTIONS });
    undo.push(() => database.close());
    return { database };
  });
  try {
    return (await looksIn(opened.database, failing, count, seconds)) / seconds;
  } finally {
    await opened.stop();
  }
}

async function looksIn(database: Database, failing: number, count: number, seconds: number): Promise<number> {
  const keys = Array.from({ length: count + failing }, () => randomUUID());
  const bad = new Set<string>(keys.toSorted().slice(0, failing));
  let looked = 0;
  const witness: Witness = {
    looked: ({ key }) => void (bad.has(key) || (looked += 1)),
    claimed: () => {},
    lost: () => {},
    failed: ({ key, error }) => {
      if (key === null || !bad.has(key)) throw error;
    },
  };
  const notebook = new PostgresNotebook(database, 'bench');
  await notebook.request(KIND, keys);
  const ports = { notebook, timers: processTimers, witness, random: Math.random, options: engineDefaults };
  const loop = new Loop([stepping(bad)], ports);
  loop.nudge(KIND);
  await pause(seconds * 1_000);
  const done = looked;
  await loop.stop(1_000);
  return done;
}

function stepping(bad: ReadonlySet<string>): Reconciler<null, { readonly do: 'step' }, never, Tx> {
  return {
    kind: KIND,
    observe: async (keys) => new Map(keys.map((key) => [key, null])),
    decide: () => act({ do: 'step' }, 'there is always one more'),
    async act(plans, tx) {
      const keys = plans.map(({ key }) => key);
      await tx.query('SELECT 1 / (1 - $1::integer) AS one', [keys.some((key) => bad.has(key)) ? 1 : 0]);
      return new Set(keys);
    },
  };
}

import { Database, PostgresNotebook, type Tx, migrate, processTimers } from '@homeostat/platform';
import { Loop, type Reconciler, type Witness, engineDefaults, settle } from '@homeostat/reconcile';
import { v7 as uuidv7 } from 'uuid';
import { BATCH, CONNECTIONS, type Contender, type Opened } from './contender';

const KIND = 'domains';
const SLICE = 10_000;
const STOP_MS = 1_000;

const idle: Reconciler<null, never, never, Tx> = {
  kind: KIND,
  observe: async (keys) => new Map(keys.map((key) => [key, null])),
  decide: () => settle('there is nothing to do'),
  act: async () => new Set(),
};

/** Our engine, with keys as the API gives them: every look is leased, fenced by its epoch, and written down with its outcome. */
export const oneByOne: Contender = {
  name: 'Homeostat, one by one',
  settings: `passes of 1, ${CONNECTIONS} at once`,
  open: (url) => opened(url, { batch: 1, passes: CONNECTIONS }),
};

export const batched: Contender = {
  name: 'Homeostat, batched',
  settings: `passes of ${BATCH}, ${engineDefaults.passes} at once: what every service runs with`,
  open: (url) => opened(url, { batch: BATCH, passes: engineDefaults.passes }),
};

async function opened(url: string, shape: { readonly batch: number; readonly passes: number }): Promise<Opened> {
  await migrate(url);
  const database = new Database({ url, role: null, application: 'looks', connections: CONNECTIONS });
  const notebook = new PostgresNotebook(database, 'bench');
  let loop: Loop<Tx> | null = null;
  return {
    async fill(count) {
      for (let left = count; left > 0; left -= SLICE) {
        await notebook.request(
          KIND,
          Array.from({ length: Math.min(left, SLICE) }, () => uuidv7()),
        );
      }
    },
    async start(done) {
      const witness: Witness = {
        looked: ({ key }) => done(key),
        claimed: () => {},
        lost: () => {},
        failed: ({ error }) => {
          throw error;
        },
      };
      const options = { ...engineDefaults, ...shape };
      loop = new Loop([idle], { notebook, timers: processTimers, witness, random: Math.random, options });
      loop.nudge(KIND);
    },
    async add() {
      const key = uuidv7();
      await notebook.request(KIND, [key]);
      loop!.nudge(KIND);
      return key;
    },
    stop: async () => loop?.stop(STOP_MS),
    async close() {
      await database.close();
    },
  };
}

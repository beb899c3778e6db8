import { setTimeout as sleep } from 'node:timers/promises';
import { dice } from '../house/dice.mjs';
import { Builder } from './builder.mjs';
import { Client } from './client.mjs';
import { Mover } from './mover.mjs';

const PAUSE_MS = 150;

/**
 * Puts a fleet under load: people who deploy and change their minds, and builders. `urls()` tells who answers at this
 * moment. The load outlives refused connections, and knows in the end what was promised to it.
 */
export async function startLoad({ urls, seed, hands = 4, builders = 2, projects = 4 }) {
  const client = new Client(urls);
  const ledger = { made: new Set(), built: new Set(), pinned: new Set() };
  const people = new Mover(client, dice(seed), ledger);
  const crew = Array.from(
    { length: builders },
    (_, at) => new Builder(client, dice(seed + at + 1), ledger, `builder ${at}`),
  );
  await people.settle(projects);
  let over = false;
  const forever = async (thrower, work) => {
    while (!over) {
      await work();
      await sleep(thrower.between(0, PAUSE_MS));
    }
  };
  const at = Promise.all([
    ...Array.from({ length: hands }, (_, hand) => forever(dice(seed + 100 + hand), () => people.move())),
    ...crew.map((builder, number) => forever(dice(seed + 200 + number), () => builder.work())),
  ]);
  at.catch((error) => client.surprises.push(error.message));
  return {
    client,
    ledger,
    /** Nobody wants anything new; what is on its way is waited for. */
    async stop() {
      over = true;
      await at;
    },
    /** Nothing outside is left to be waited for: no build is open, nothing is paused. */
    async finish() {
      await people.rest();
      while (!(await crew[0].finish())) await sleep(50);
    },
  };
}

/** What the database does not keep of what was promised; `query(sql, values)` resolves to rows. Empty when all is well. */
export async function broken(query, { made, built }) {
  const [{ count }] = await query('SELECT count(*)::integer AS count FROM deployment');
  const lost = await query('SELECT id FROM unnest($1::uuid[]) AS id WHERE id NOT IN (SELECT id FROM deployment)', [
    [...made],
  ]);
  const undone = await query(
    `SELECT id, status FROM unnest($1::uuid[]) AS id LEFT JOIN build USING (id) WHERE status IS DISTINCT FROM 'ready'`,
    [[...built]],
  );
  return [
    ...lost.map(({ id }) => `deployment ${id} was accepted, and is lost`),
    ...undone.map(({ id, status }) => `build ${id} was accepted as ready, and is ${status}`),
    ...(count === made.size ? [] : [`${made.size} deployments were accepted, and there are ${count}`]),
  ];
}

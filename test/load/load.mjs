import { setTimeout as sleep } from 'node:timers/promises';
import { dice } from '../house/dice.mjs';
import { Builder } from './builder.mjs';
import { Client } from './client.mjs';
import { Mover } from './mover.mjs';
import { Registrant } from './registrant.mjs';

const PAUSE_MS = 150;
const HANDS = 4;
const PROJECTS = 4;
const builders = ['builder one', 'builder two'];
const tenants = ['acme', 'umbra'];

/**
 * Puts a fleet under load: people who deploy and change their minds, builders, and – with a `world` – tenants who claim
 * each other's domains. `urls(path)` tells who answers for a path at this moment. The load outlives refused connections, and knows in
 * the end what was promised to it.
 */
export async function startLoad({ urls, seed, world = null }) {
  const clientOf = async (tenant, scopes) => new Client(urls, world && (await world.token(tenant, scopes)));
  const client = await clientOf('default', ['admin']);
  const ledger = { made: new Set(), built: new Set(), pinned: new Set() };
  const people = new Mover(client, dice(seed), ledger);
  const crew = builders.map((name, at) => new Builder(client, dice(seed + 10 + at), ledger, name));
  const claimants = await Promise.all(
    (world ? tenants : []).map(
      async (tenant, at) => new Registrant(await clientOf(tenant, ['read', 'write']), dice(seed + 20 + at), world.dns),
    ),
  );
  await people.settle(PROJECTS, `of ${seed}`);
  let over = true;
  let done;
  const forever = async (work, at) => {
    for (const pauses = dice(seed + 100 + at); !over; await sleep(pauses.between(0, PAUSE_MS))) await work();
  };
  const work = [
    ...Array.from({ length: HANDS }, () => () => people.move()),
    ...crew.map((builder) => () => builder.work()),
    ...claimants.map((claimant) => () => claimant.move()),
  ];
  const go = () => {
    if (!over) return;
    over = false;
    done = Promise.all(work.map(forever));
    done.catch((error) => client.surprises.push(error.message));
  };
  go();
  return {
    client,
    ledger,
    surprises: () => [client, ...claimants.map((claimant) => claimant.client)].flatMap(({ surprises }) => surprises),
    /** Goes on after a stop. */
    go,
    /** Nobody wants anything new; what is on its way is waited for. */
    async stop() {
      over = true;
      await done;
    },
    /** Nothing outside is left to be waited for: no build is open, nothing is paused. */
    async finish() {
      await people.rest();
      while (!(await crew[0].finish())) await sleep(50);
    },
    /** The domains that were given to tenants, and not given back. */
    domains: () => claimants.flatMap(({ domains }) => [...domains.keys()]),
  };
}

/** What the database does not keep of what was promised; `query(sql, values)` resolves to rows. Empty when all is well. */
export async function broken(query, load) {
  const { made, built } = load.ledger;
  const [{ deployments, domains }] = await query(
    `SELECT (SELECT count(*) FROM deployment)::integer AS deployments, (SELECT count(*) FROM domain)::integer AS domains`,
  );
  const missing = (table, ids) =>
    query(`SELECT id FROM unnest($1::uuid[]) AS id WHERE id NOT IN (SELECT id FROM ${table})`, [ids]);
  const lost = [...(await missing('deployment', [...made])), ...(await missing('domain', load.domains()))];
  const undone = await query(
    `SELECT id, status FROM unnest($1::uuid[]) AS id LEFT JOIN build USING (id) WHERE status IS DISTINCT FROM 'ready'`,
    [[...built]],
  );
  const counts = [
    ['deployments', made.size, deployments],
    ['domains', load.domains().length, domains],
  ];
  return [
    ...lost.map(({ id }) => `${id} was accepted, and is lost`),
    ...undone.map(({ id, status }) => `build ${id} was accepted as ready, and is ${status}`),
    ...counts.flatMap(([what, wanted, is]) =>
      wanted === is ? [] : [`${wanted} ${what} were accepted, and there are ${is}`],
    ),
    ...load.surprises(),
  ];
}

import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../../house/until.mjs';

const TAKEOVER_MS = 15_000;
/** The promise is a second; the machine that runs this has other work, too. */
const STOPS_MS = 2_000;

/** Kills, freezes and stops processes. A fault resolves once it is over; what it returns goes into the table. */
export const processes = {
  async 'one process is killed'(fleet, chance) {
    await chance.pick(fleet.members).restart('SIGKILL');
  },

  async 'all processes of a service are killed'(fleet, chance) {
    const { service } = chance.pick(fleet.members);
    const all = fleet.members.filter((member) => member.service === service);
    await Promise.all(all.map((member) => member.process.end('SIGKILL')));
    await sleep(chance.between(0, 2_000));
    for (const member of all) member.begin();
  },

  async 'one process is killed in the middle of its work'(fleet, chance) {
    const victim = chance.pick(fleet.members.filter(({ service }) => service === 'vm-pool-svc'));
    await caught(fleet, victim);
    const { pid } = victim.process;
    await victim.process.end('SIGKILL');
    const free = async () => (await fleet.leasesOf(pid)) === 0;
    const takeoverMs = await until(free, TAKEOVER_MS, 'its work is taken over');
    victim.begin();
    return { takeoverMs };
  },

  async 'one process is frozen'(fleet, chance) {
    const victim = chance.pick(fleet.members);
    victim.process.child.kill('SIGSTOP');
    await sleep(chance.between(500, 11_000));
    victim.process.child.kill('SIGCONT');
  },

  async 'one after the other is told to stop'(fleet) {
    let slowest = 0;
    for (const member of fleet.members) {
      const tookMs = await member.restart('SIGTERM');
      if (tookMs > STOPS_MS) throw new Error(`${member.service} took ${Math.round(tookMs)} ms to stop`);
      slowest = Math.max(slowest, tookMs);
      await member.ready();
    }
    return { stopMs: slowest };
  },
};

/** Freezes a process while it holds leases. */
async function caught(fleet, victim) {
  const holding = async () => {
    victim.process.child.kill('SIGSTOP');
    const held = await fleet.leasesOf(victim.process.pid);
    if (held === 0) victim.process.child.kill('SIGCONT');
    return held > 0;
  };
  await until(holding, TAKEOVER_MS, `${victim.service} holds a lease`);
}

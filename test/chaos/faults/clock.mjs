import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { setTimeout as sleep } from 'node:timers/promises';

const run = promisify(execFile);

/** A process whose clock is wrong: leases and deadlines are the database's business. */
export const clock = {
  async 'the clock of a process is an hour ahead'(fleet, chance) {
    return wrongBy('+3600s', fleet, chance);
  },

  async 'the clock of a process is an hour behind'(fleet, chance) {
    return wrongBy('-3600s', fleet, chance);
  },
};

async function wrongBy(offset, fleet, chance) {
  const special = await fakeTime(offset);
  if (!special) return { skipped: 'faketime is not installed' };
  const victim = chance.pick(fleet.members);
  await victim.restart('SIGTERM', special);
  await victim.ready();
  await sleep(chance.between(1_000, 4_000));
  await victim.restart('SIGTERM');
  await victim.ready();
}

/** The environment in which a program's clock is wrong by so much; null without libfaketime. Timers go on as they should. */
async function fakeTime(offset) {
  const printed = await run('faketime', ['-f', offset, 'env']).catch(() => null);
  const [, preload] = /^LD_PRELOAD=(.+)$/m.exec(printed?.stdout ?? '') ?? [];
  return preload ? { LD_PRELOAD: preload, FAKETIME: offset, DONT_FAKE_MONOTONIC: '1' } : null;
}

import { setTimeout as sleep } from 'node:timers/promises';
import { olderVersion } from '../older-version.mjs';

/** Processes of two versions side by side, as in the middle of an upgrade. */
export const versions = {
  async 'two versions run side by side'(fleet, chance) {
    fleet.olderHome ??= await olderVersion(fleet.folder);
    const older = new Set(fleet.members.filter(() => chance.chance(0.5)));
    await moved(older, fleet.olderHome);
    await sleep(chance.between(2_000, 5_000));
    await moved(older, null);
  },
};

async function moved(members, home) {
  for (const member of members) {
    member.home = home;
    await member.restart('SIGTERM');
    await member.ready();
  }
}

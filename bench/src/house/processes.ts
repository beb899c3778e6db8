import { readFile, readdir } from 'node:fs/promises';

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly ownTicks: number;
  /** Of children that have ended. */
  readonly endedTicks: number;
}

/** Linux counts CPU time in hundredths of a second here, whatever the kernel does within. */
const TICK_MS = 10;

/** The process that started this one; null where there is no /proc. */
export async function parentOf(pid: number): Promise<number | null> {
  return (await processes()).find((one) => one.pid === pid)?.parent ?? null;
}

/** CPU time of a process and its children, also of those that have ended. */
export async function cpuMsOfFamily(parent: number): Promise<number> {
  const family = (await processes()).filter((one) => one.pid === parent || one.parent === parent);
  const ticks = family.map(({ pid, ownTicks, endedTicks }) => ownTicks + (pid === parent ? endedTicks : 0));
  return TICK_MS * ticks.reduce((sum, one) => sum + one, 0);
}

/** All processes, from proc(5). */
async function processes(): Promise<Process[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const stats = await Promise.all(pids.map((pid) => readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')));
  return stats.filter(Boolean).map((stat) => {
    // The second field is the program's name in parentheses, and may hold anything.
    const [, parent, ...rest] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .map(Number);
    const [own, ownSystem, ended, endedSystem] = rest.slice(9) as [number, number, number, number];
    return { pid: parseInt(stat, 10), parent: parent!, ownTicks: own + ownSystem, endedTicks: ended + endedSystem };
  });
}

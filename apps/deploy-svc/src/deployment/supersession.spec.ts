import { deploymentStates } from '@homeostat/shared';
import fc from 'fast-check';
import { type DeploymentSight, decideDeployment } from './deployment.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const minute = 60_000;
const graceMs = 5 * minute;

interface Sibling {
  readonly status: (typeof deploymentStates)[number];
  readonly pinned: boolean;
  readonly readyForMs: number;
}

const siblings = fc.array(
  fc.record({
    status: fc.constantFrom(...deploymentStates, 'ready' as const, 'ready' as const),
    pinned: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, fc.constant(true)),
    readyForMs: fc.oneof(fc.nat(10 * minute), fc.constantFrom(graceMs - 1, graceMs)),
  }),
  { minLength: 1, maxLength: 8 },
);

/** What the deployment at `at` sees of an environment whose deployments stand in the order of their creation. */
function sightOf(all: readonly Sibling[], at: number): DeploymentSight {
  const { status, pinned } = all[at]!;
  const newer = all.slice(at + 1).filter((other) => other.status === 'ready');
  const newest = newer.at(-1);
  return {
    deployment: {
      id: String(at),
      status,
      pinned,
      phase: status === 'building' ? 'waiting_for_build' : null,
      build_id: 'b',
      image_id: 'i',
      vm_id: 'vm',
      port: 80,
      cancel_requested_at: null,
      building_at: now,
      image_at: now,
    },
    build: { status: 'building', image_id: null, reason: null, message: null },
    claim: status === 'ready' ? { id: 'c', vm: { id: 'vm', status: 'running', private_ip: '10.77.0.2' } } : null,
    newer: {
      count: Math.min(2, newer.length),
      newest_ready_at: newest ? new Date(now.getTime() - newest.readyForMs) : null,
    },
    queue: null,
    health: null,
    settings: { gate: 'assigned', graceMs, buildDeadlineMs: 60 * minute, vmDeadlineMs: 60 * minute },
  };
}

const decided = (all: readonly Sibling[], at: number) => decideDeployment(sightOf(all, at), now);
const goes = (all: readonly Sibling[], at: number): boolean => {
  const decision = decided(all, at);
  return decision.verdict === 'act' && ['inactivate', 'fail'].includes(decision.step.do);
};
const readyOnes = (all: readonly Sibling[]): number[] =>
  all.flatMap(({ status }, at) => (status === 'ready' ? [at] : []));
const always = (holds: (all: readonly Sibling[]) => void): void =>
  fc.assert(fc.property(siblings, holds), { numRuns: 1_000 });

test('the newest ready deployment stays', () => {
  always((all) => {
    const newest = readyOnes(all).at(-1);
    if (newest !== undefined) expect(goes(all, newest)).toBe(false);
  });
});

test('the second newest ready deployment stays until the newest has been ready for the grace period', () => {
  always((all) => {
    const [second, newest] = readyOnes(all).slice(-2);
    if (newest === undefined || all[second!]!.pinned) return;
    const { readyForMs } = all[newest]!;
    expect(goes(all, second!)).toBe(readyForMs >= graceMs);
    if (readyForMs < graceMs)
      expect(decided(all, second!)).toMatchObject({
        verdict: 'wait',
        until: new Date(now.getTime() + graceMs - readyForMs),
      });
  });
});

test('every older ready deployment goes at once', () => {
  always((all) => {
    for (const older of readyOnes(all).slice(0, -2)) expect(goes(all, older)).toBe(!all[older]!.pinned);
  });
});

test('a pinned deployment stays, whatever is newer', () => {
  always((all) => {
    all.forEach(({ pinned }, at) => expect(pinned && goes(all, at)).toBe(false));
  });
});

test('deployments that are not ready supersede nothing', () => {
  always((all) => {
    const nobodyReady = all.map((one) => (one.status === 'ready' ? { ...one, status: 'building' as const } : one));
    nobodyReady.forEach((_one, at) => expect(goes(nobodyReady, at)).toBe(false));
    const without = all.filter(({ status }) => status === 'ready');
    readyOnes(all).forEach((at, place) => expect(goes(all, at)).toBe(goes(without, place)));
  });
});

test('what still is queued or building is given up exactly when a newer deployment is ready', () => {
  always((all) => {
    all.forEach(({ status, pinned }, at) => {
      if (status !== 'queued' && status !== 'building') return;
      expect(goes(all, at)).toBe(!pinned && readyOnes(all).some((other) => other > at));
    });
  });
});

test('after all went that had to, at most two stay that are ready and not pinned', () => {
  always((all) => {
    const stay = readyOnes(all).filter((at) => !goes(all, at) && !all[at]!.pinned);
    expect(stay.length).toBeLessThanOrEqual(2);
  });
});

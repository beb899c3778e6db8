import { type Decision } from '@homeostat/reconcile';
import { type BuildStatus, buildStates, deploymentStates, vmStates } from '@homeostat/shared';
import fc from 'fast-check';
import { type DeploymentReach, type DeploymentSight, type DeploymentStep, decideDeployment } from './deployment.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const second = 1_000;
const minute = 60 * second;
const from = (ms: number): Date => new Date(now.getTime() + ms);

type Facts = Partial<Omit<DeploymentSight, 'deployment' | 'settings'>>;
type Row = Partial<DeploymentSight['deployment']>;
type Gate = DeploymentSight['settings']['gate'];

const nobody = { count: 0, newest_ready_at: null };
const sight = (row: Row, facts: Facts = {}, gate: Gate = 'assigned'): DeploymentSight => ({
  deployment: {
    id: 'd',
    status: 'queued',
    phase: null,
    build_id: null,
    image_id: null,
    vm_id: null,
    port: 8080,
    pinned: false,
    cancel_requested_at: null,
    building_at: null,
    image_at: null,
    ...row,
  },
  build: null,
  claim: null,
  newer: nobody,
  queue: null,
  health: null,
  ...facts,
  settings: { gate, graceMs: 5 * minute, buildDeadlineMs: 71 * minute, vmDeadlineMs: 60 * minute },
});

const built = (status: BuildStatus, more: Partial<NonNullable<Facts['build']>> = {}): Facts => ({
  build: { status, image_id: null, reason: null, message: null, ...more },
});
const claimed = (status?: (typeof vmStates)[number], id = 'vm'): Facts => ({
  claim: { id: 'c', vm: status ? { id, status, private_ip: '10.77.0.10' } : null },
});
const newer = (count: number, readyForMs: number): Facts => ({ newer: { count, newest_ready_at: from(-readyForMs) } });

const queued = (row: Row = {}, facts: Facts = {}) => sight(row, facts);
const waitingForBuild = (facts: Facts, row: Row = {}) =>
  sight({ status: 'building', phase: 'waiting_for_build', build_id: 'b', building_at: from(-minute), ...row }, facts);
const waitingForVm = (facts: Facts, row: Row = {}, gate?: Gate) =>
  sight(
    {
      status: 'building',
      phase: 'waiting_for_vm',
      image_id: 'i',
      building_at: from(-2 * minute),
      image_at: from(-minute),
      ...row,
    },
    facts,
    gate,
  );
const ready = (facts: Facts = {}, row: Row = {}) =>
  sight({ status: 'ready', image_id: 'i', vm_id: 'vm', ...row }, { ...claimed('running'), ...facts });

const acts = (step: DeploymentStep, more: object = {}) => ({ verdict: 'act', step, ...more });
const fails = (reason: string) => ({ verdict: 'act', step: { do: 'fail', reason }, next: 'settled' });
const waits = (until: Date, because?: string) => ({ verdict: 'wait', until, ...(because ? { because } : {}) });
const settles = { verdict: 'settle' };

// prettier-ignore
const rows: [string, DeploymentSight, object][] = [
  ['asks for a build', queued(), acts({ do: 'build' }, { next: from(71 * minute) })],
  ['skips the build when it has its image already', queued({ image_id: 'i' }), acts({ do: 'claim', image_id: 'i' }, { next: from(60 * minute) })],
  ['goes on from queued with a build, as a crash between two writes would leave it', queued({ build_id: 'b' }, built('building')), acts({ do: 'build' })],
  ['goes on from queued with a build that was deleted', queued({ build_id: 'b' }), acts({ do: 'build' })],
  ['gives up a queued deployment that was cancelled', queued({ cancel_requested_at: now }), fails('Canceled')],
  ['gives up a queued deployment when a newer one is ready', queued({}, newer(1, 0)), fails('Superseded')],
  ['builds a pinned deployment though a newer one is ready', queued({ pinned: true }, newer(1, 0)), acts({ do: 'build' })],
  ['cancels a pinned deployment on request', queued({ pinned: true, cancel_requested_at: now }), fails('Canceled')],

  ['waits for a queued build', waitingForBuild(built('queued')), waits(from(70 * minute), 'its build is queued')],
  ['waits for a build that is prepared', waitingForBuild(built('initializing')), waits(from(70 * minute))],
  ['waits for a build that runs', waitingForBuild(built('building')), waits(from(70 * minute))],
  ['claims a VM for the image of its build', waitingForBuild(built('ready', { image_id: 'i' })), acts({ do: 'claim', image_id: 'i' })],
  ['fails on a failed build', waitingForBuild(built('error', { reason: 'BuildError', message: 'no such file' })),
    { ...fails('BuildFailed'), because: 'its build failed: no such file' }],
  ['fails on a build that took too long', waitingForBuild(built('error', { reason: 'Timeout' })), fails('BuildTimeout')],
  ['fails on a build that nobody took', waitingForBuild(built('error', { reason: 'QueueTimeout' })), fails('BuildTimeout')],
  ['fails on a cancelled build', waitingForBuild(built('canceled')), fails('BuildCanceled')],
  ['fails when its build was deleted', waitingForBuild({}), fails('BuildMissing')],
  ['fails on a build that is ready without an image', waitingForBuild(built('ready')), fails('BuildWithoutImage')],
  ['stops waiting for a build past every deadline', waitingForBuild(built('building'), { building_at: from(-71 * minute) }), fails('BuildTimeout')],
  ['takes the image of a build that was ready at the last moment', waitingForBuild(built('ready', { image_id: 'i' }), { building_at: from(-99 * minute) }),
    acts({ do: 'claim', image_id: 'i' })],
  ['stops waiting for a build since nobody knows when', waitingForBuild(built('queued'), { building_at: null }), fails('BuildTimeout')],
  ['gives up its build when a newer deployment is ready', waitingForBuild({ ...built('building'), ...newer(1, 0) }), fails('Superseded')],
  ['cancels while it waits for its build', waitingForBuild(built('building'), { cancel_requested_at: now }), fails('Canceled')],

  ['says how the queue for VMs stands', waitingForVm({ ...claimed(), queue: { ahead: 4, pooling: 0, initializing: 3 } }),
    { ...waits(from(59 * minute), 'it waits for a VM: 4 ahead of it, 0 free in the pool, 3 on their way'), fix: expect.stringContaining('RECONCILER_VM_POOL_SIZE') }],
  ['claims anew when its claim is gone', waitingForVm({}), acts({ do: 'claim', image_id: 'i' })],
  ['is ready when its VM was assigned', waitingForVm(claimed('starting')), acts({ do: 'ready', vm_id: 'vm' }, { next: 'settled' })],
  ['is ready at the last moment', waitingForVm(claimed('starting'), { image_at: from(-99 * minute) }), acts({ do: 'ready', vm_id: 'vm' })],
  ['fails when no VM was to be had', waitingForVm(claimed(), { image_at: from(-60 * minute) }), fails('NoVm')],
  ['gives back its claim when a newer deployment is ready', waitingForVm({ ...claimed('starting'), ...newer(1, 0) }), fails('Superseded')],
  ['is not ready any more once it was cancelled, though its VM is there', waitingForVm(claimed('starting'), { cancel_requested_at: now }), fails('Canceled')],
  ['fails when it waits for a VM without an image, and its build is gone', waitingForVm(claimed(), { image_id: null }), fails('BuildMissing')],

  ['waits for the workload where that is the gate', waitingForVm(claimed('starting'), {}, 'running'), waits(from(minute))],
  ['is ready when the workload runs, where that is the gate', waitingForVm(claimed('running'), {}, 'running'), acts({ do: 'ready', vm_id: 'vm' })],
  ['fails when the workload does not run in time', waitingForVm(claimed('starting'), { image_at: from(-60 * minute) }, 'running'), fails('NotServing')],
  ['does not ask a workload that does not run yet', waitingForVm(claimed('starting'), {}, 'healthy'), waits(from(minute))],
  ['asks the workload where its health is the gate', waitingForVm(claimed('running'), { port: 81 }, 'healthy'),
    { verdict: 'reach', reach: { do: 'check_health', host: '10.77.0.10', port: 81 } }],
  ['is ready when the workload is healthy', waitingForVm({ ...claimed('running'), health: { healthy: true, answer: '200' } }, {}, 'healthy'),
    acts({ do: 'ready', vm_id: 'vm' })],
  ['asks a sick workload again, after a quarter of the time that it has been sick', waitingForVm({ ...claimed('running'), health: { healthy: false, answer: 'it said 500' } }, { image_at: from(-8 * second) }, 'healthy'),
    waits(from(2 * second), 'it is not healthy yet: it said 500')],
  ['asks a sick workload every half second at first', waitingForVm({ ...claimed('running'), health: { healthy: false, answer: '' } }, { image_at: now }, 'healthy'), waits(from(500))],
  ['asks a sick workload every ten seconds at most', waitingForVm({ ...claimed('running'), health: { healthy: false, answer: '' } }, { image_at: from(-50 * minute) }, 'healthy'), waits(from(10 * second))],
  ['asks a sick workload no later than its deadline', waitingForVm({ ...claimed('running'), health: { healthy: false, answer: '' } }, { image_at: from(second - 60 * minute) }, 'healthy'), waits(from(second))],
  ['gives up a workload that never was healthy', waitingForVm({ ...claimed('running'), health: { healthy: false, answer: '' } }, { image_at: from(-60 * minute) }, 'healthy'), fails('NotServing')],

  ['is left alone when it is ready', ready(), settles],
  ['stays though a newer one is ready, until the grace period ends', ready(newer(1, minute)), waits(from(4 * minute))],
  ['stays one millisecond before the end of the grace period', ready(newer(1, 5 * minute - 1)), waits(from(1))],
  ['goes at the end of the grace period', ready(newer(1, 5 * minute)), acts({ do: 'inactivate' }, { next: 'settled' })],
  ['goes at once when two newer ones are ready', ready(newer(2, 0)), acts({ do: 'inactivate' }, { next: 'settled' })],
  ['stays for good when it is pinned', ready(newer(2, 99 * minute), { pinned: true }), settles],
  ['is not cancelled any more once it is ready', ready({}, { cancel_requested_at: now }), settles],
  ['learns that its VM was lost', ready(claimed()), acts({ do: 'adopt', vm_id: null }, { next: 'now' })],
  ['says that it waits for another VM, and looks again', ready({ ...claimed(), queue: { ahead: 0, pooling: 1, initializing: 0 } }, { vm_id: null }),
    waits(from(minute), 'it waits for a VM: 0 ahead of it, 1 free in the pool, 0 on their way')],
  ['waits for another VM no longer than it would stay', ready({ ...claimed(), ...newer(1, 4.5 * minute) }, { vm_id: null }), waits(from(0.5 * minute))],
  ['takes over another VM', ready(claimed('starting', 'other')), acts({ do: 'adopt', vm_id: 'other' })],
  ['takes over another VM after the loss of one', ready(claimed('starting', 'other'), { vm_id: null }), acts({ do: 'adopt', vm_id: 'other' })],
  ['claims a VM anew when its claim is gone', ready({ claim: null }), acts({ do: 'claim', image_id: 'i' })],
  ['goes rather than to ask for another VM', ready({ ...claimed(), ...newer(2, 0) }), acts({ do: 'inactivate' })],

  ['is left alone when it is inactive', sight({ status: 'inactive', image_id: 'i' }), settles],
  ['is left alone when it has failed', sight({ status: 'failed' }), settles],
  ['gives back what a crash left it when it is inactive', sight({ status: 'inactive' }, claimed('running')), acts({ do: 'release' }, { next: 'settled' })],
  ['gives back what a crash left it when it has failed', sight({ status: 'failed' }, claimed()), acts({ do: 'release' }, { next: 'settled' })],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decideDeployment(seen, now)).toMatchObject(expected);
});

const ago = fc.nat(100 * minute).map((ms) => from(-ms));
const deployment: fc.Arbitrary<DeploymentSight['deployment']> = fc.record({
  id: fc.constant('d'),
  status: fc.constantFrom(...deploymentStates),
  phase: fc.constantFrom('waiting_for_build' as const, 'waiting_for_vm' as const, null),
  build_id: fc.option(fc.constant('b')),
  image_id: fc.option(fc.constant('i')),
  vm_id: fc.constantFrom('vm', 'other', null),
  port: fc.constant(8080),
  pinned: fc.boolean(),
  cancel_requested_at: fc.option(ago),
  building_at: fc.option(ago),
  image_at: fc.option(ago),
});
const vm = fc.record({
  id: fc.constant('vm'),
  status: fc.constantFrom(...vmStates),
  private_ip: fc.constant('10.77.0.10'),
});
const anything: fc.Arbitrary<DeploymentSight> = fc.record({
  deployment,
  build: fc.option(
    fc.record({
      status: fc.constantFrom(...buildStates),
      image_id: fc.option(fc.constant('i')),
      reason: fc.constantFrom('Timeout', 'Canceled', null),
      message: fc.constant(null),
    }),
  ),
  claim: fc.option(fc.record({ id: fc.constant('c'), vm: fc.option(vm) })),
  newer: fc.oneof(fc.constant(nobody), fc.record({ count: fc.constantFrom(1, 2), newest_ready_at: ago })),
  queue: fc.option(fc.record({ ahead: fc.nat(9), pooling: fc.nat(9), initializing: fc.nat(9) })),
  health: fc.option(fc.record({ healthy: fc.boolean(), answer: fc.constant('it answered') })),
  settings: fc.record({
    gate: fc.constantFrom('assigned' as const, 'running' as const, 'healthy' as const),
    graceMs: fc.nat(50 * minute),
    buildDeadlineMs: fc.integer({ min: 1, max: 50 * minute }),
    vmDeadlineMs: fc.integer({ min: 1, max: 50 * minute }),
  }),
});

type Next = Decision<DeploymentStep, DeploymentReach>;
const always = (holds: (seen: DeploymentSight, decision: Next) => void): void =>
  fc.assert(
    fc.property(anything, (seen) => holds(seen, decideDeployment(seen, now))),
    { numRuns: 2_000 },
  );

/** From which states each step leads on. */
const legal: Record<DeploymentStep['do'], readonly string[]> = {
  build: ['queued'],
  claim: ['queued', 'building', 'ready'],
  ready: ['building'],
  adopt: ['ready'],
  inactivate: ['ready'],
  fail: ['queued', 'building'],
  release: ['inactive', 'failed'],
};

test('whatever it sees, it says why, and takes a step that is legal in this state', () => {
  always(({ deployment: { status } }, decision) => {
    expect(decision.because).not.toBe('');
    if (decision.verdict === 'act') expect(legal[decision.step.do]).toContain(status);
    if (decision.verdict === 'reach') expect(status).toBe('building');
  });
});

test('whatever it sees, a deployment that is not at its end has a step to take or a later look', () => {
  always(({ deployment: { status } }, decision) => {
    if (decision.verdict === 'wait') expect(decision.until.getTime()).toBeGreaterThan(now.getTime());
    if (status === 'queued' || status === 'building') expect(['act', 'reach', 'wait']).toContain(decision.verdict);
    if (decision.verdict === 'settle') expect(['ready', 'inactive', 'failed']).toContain(status);
  });
});

test('whatever it sees, a deployment at its end keeps no claim', () => {
  always(({ deployment: { status }, claim }, decision) => {
    if (status !== 'inactive' && status !== 'failed') return;
    expect(decision).toMatchObject(claim ? acts({ do: 'release' }) : settles);
  });
});

test('whatever it sees, only a VM that its own claim holds makes it ready', () => {
  always(({ claim, deployment: { cancel_requested_at } }, decision) => {
    if (decision.verdict !== 'act' || decision.step.do !== 'ready') return;
    expect(claim?.vm?.id).toBe(decision.step.vm_id);
    expect(cancel_requested_at).toBeNull();
  });
});

test('an answer about health is not asked for twice in one look', () => {
  always((seen) => {
    const decision = decideDeployment({ ...seen, health: { healthy: false, answer: 'no' } }, now);
    expect(decision.verdict).not.toBe('reach');
  });
});

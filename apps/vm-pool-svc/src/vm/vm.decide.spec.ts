import { vmStates } from '@homeostat/shared';
import fc from 'fast-check';
import { type VmSight, decideVm } from './vm.decide';

const now = new Date('2026-03-01T12:00:00.000Z');
const second = 1_000;
const minute = 60 * second;
const from = (ms: number): Date => new Date(now.getTime() + ms);
const workload = { imageId: 'i', port: 8080, env: { A: '1' } };

type Status = VmSight['vm']['status'];
interface More {
  readonly machine?: VmSight['machine'];
  readonly claim?: 'live' | 'released';
  readonly forMs?: number;
  readonly reuse?: boolean;
}
const vm = (status: Status, { machine = null, claim, forMs = 0, reuse = true }: More = {}): VmSight => ({
  vm: { id: 'vm', status, status_at: from(-forMs), private_ip: '10.77.0.2', region: 'eu' },
  claim: claim ? { id: 'c', released: claim === 'released', workload } : null,
  machine,
  settings: { reuse, bootTimeoutMs: 5 * minute },
});

const acts = (step: object, more: object = {}) => ({ verdict: 'act', step, ...more });
const reaches = (what: object) => ({ verdict: 'reach', reach: what });
const waits = (ms: number) => ({ verdict: 'wait', until: from(ms) });
const discards = (reason: string) => acts({ do: 'discard', reason });
const settles = { verdict: 'settle' };
const boot = reaches({ do: 'boot', region: 'eu', address: '10.77.0.2' });
const late = 5 * minute;

// prettier-ignore
const rows: [string, VmSight, object][] = [
  ['orders a machine', vm('initializing'), boot],
  ['orders it again after a crash between the order and the answer: an order may be repeated', vm('initializing', { forMs: minute }), boot],
  ['is free only once the provider says that it is up', vm('initializing', { machine: 'up' }), acts({ do: 'pool' }, { next: 'settled' })],
  ['waits while it boots, and asks again soon', vm('initializing', { machine: 'booting' }), waits(250)],
  ['asks again after a quarter of the time that it took so far', vm('initializing', { machine: 'booting', forMs: 8 * second }), waits(2 * second)],
  ['asks again after five seconds at the latest', vm('initializing', { machine: 'booting', forMs: 4 * minute }), waits(5 * second)],
  ['does not take a machine for free that still is stopped', vm('initializing', { machine: 'stopped' }), waits(250)],
  ['does not take a machine for free that the provider forgot at once', vm('initializing', { machine: 'absent' }), waits(250)],
  ['replaces at once a machine that runs something for whoever had the VM before', vm('initializing', { machine: 'running' }), discards('NotEmpty')],
  ['replaces it as well where somebody has stopped that', vm('initializing', { machine: 'halted' }), discards('NotEmpty')],
  ['replaces a machine that is not up in time', vm('initializing', { machine: 'booting', forMs: late }), discards('BootTimeout')],
  ['keeps a machine that is up at the last moment', vm('initializing', { machine: 'up', forMs: 2 * late }), acts({ do: 'pool' })],
  ['gives up no VM because the provider cannot be asked: each would eat an address', vm('initializing', { forMs: 99 * late }), boot],

  ['is left alone while it is free', vm('pooling'), settles],
  ['is left alone while it is off', vm('off'), settles],

  ['starts the workload of its claim', vm('starting', { claim: 'live' }), reaches({ do: 'start', workload })],
  ['runs once the provider says so', vm('starting', { claim: 'live', machine: 'running' }), acts({ do: 'run' }, { next: 'settled' })],
  ['does not run yet because its machine is up', vm('starting', { claim: 'live', machine: 'up' }), waits(250)],
  ['replaces a machine that vanished before it ran', vm('starting', { claim: 'live', machine: 'absent' }), discards('MachineVanished')],
  ['replaces a machine that does not run in time', vm('starting', { claim: 'live', machine: 'up', forMs: late }), discards('BootTimeout')],
  ['replaces a machine that cannot be started in time, so that its claim gets another', vm('starting', { claim: 'live', forMs: late }), discards('BootTimeout')],
  ['stops when its claim was released before it ran', vm('starting', { claim: 'released' }), acts({ do: 'stop' })],
  ['stops when its claim was released while the order was under way', vm('starting', { claim: 'released', machine: 'running' }), acts({ do: 'stop' })],
  ['stops when nobody claims it', vm('starting'), acts({ do: 'stop' })],

  ['is left alone while it serves its claim', vm('running', { claim: 'live' }), settles],
  ['stops when its claim was released', vm('running', { claim: 'released' }), acts({ do: 'stop' })],
  ['stops when it runs for nobody', vm('running'), acts({ do: 'stop' })],

  ['has the machine scrubbed before anybody else may have it', vm('stopping', { claim: 'released' }), reaches({ do: 'scrub' })],
  ['is off only once the provider says that it is stopped', vm('stopping', { machine: 'stopped' }), acts({ do: 'switch_off' }, { next: 'settled' })],
  ['waits while the machine stops', vm('stopping', { machine: 'running' }), waits(250)],
  ['is deleted after use where that is the policy', vm('stopping', { machine: 'stopped', reuse: false }), discards('Released')],
  ['replaces a machine that vanished while it stopped', vm('stopping', { machine: 'absent' }), discards('MachineVanished')],

  ['has its machine removed', vm('deleting'), reaches({ do: 'delete' })],
  ['goes when its machine is gone', vm('deleting', { machine: 'absent' }), acts({ do: 'forget' }, { next: 'settled' })],
  ['keeps its address until its machine is gone', vm('deleting', { machine: 'stopped', forMs: 99 * late }), waits(5 * second)],
];

test.each(rows)('%s', (_sentence, seen, expected) => {
  expect(decideVm(seen, now)).toMatchObject(expected);
});

const anything: fc.Arbitrary<VmSight> = fc.record({
  vm: fc.record({
    id: fc.constant('vm'),
    status: fc.constantFrom(...vmStates),
    status_at: fc.integer({ min: -1_000, max: 20 * minute }).map((ms) => from(-ms)),
    private_ip: fc.constant('10.77.0.2'),
    region: fc.constant('eu'),
  }),
  claim: fc.option(fc.record({ id: fc.constant('c'), released: fc.boolean(), workload: fc.constant(workload) })),
  machine: fc.constantFrom(
    null,
    'booting' as const,
    'up' as const,
    'running' as const,
    'halted' as const,
    'stopped' as const,
    'absent' as const,
  ),
  settings: fc.record({ reuse: fc.boolean(), bootTimeoutMs: fc.integer({ min: 1, max: 10 * minute }) }),
});
const always = (holds: (seen: VmSight, decision: ReturnType<typeof decideVm>) => void): void =>
  fc.assert(
    fc.property(anything, (seen) => holds(seen, decideVm(seen, now))),
    { numRuns: 2_000 },
  );

const legal: Record<string, readonly Status[]> = {
  pool: ['initializing'],
  run: ['starting'],
  stop: ['starting', 'running'],
  switch_off: ['stopping'],
  discard: ['initializing', 'starting', 'stopping'],
  forget: ['deleting'],
};

test('whatever it sees, it says why, and takes a step that is legal in this state', () => {
  always(({ vm: { status } }, decision) => {
    expect(decision.because).not.toBe('');
    if (decision.verdict === 'act') expect(legal[decision.step.do]).toContain(status);
  });
});

test('whatever it sees, a VM on its way has something to do or a later look', () => {
  always(({ vm: { status } }, decision) => {
    if (decision.verdict === 'wait') expect(decision.until.getTime()).toBeGreaterThan(now.getTime());
    if (decision.verdict === 'settle') expect(['pooling', 'running', 'off']).toContain(status);
  });
});

test('whatever it sees, an answer of the provider is not asked for twice in one look', () => {
  always(({ machine }, decision) => {
    if (machine !== null) expect(decision.verdict).not.toBe('reach');
  });
});

test('whatever it sees, its status moves only on what the provider was seen to have done', () => {
  const proof: Record<string, VmSight['machine']> = {
    pool: 'up',
    run: 'running',
    switch_off: 'stopped',
    forget: 'absent',
  };
  always(({ machine }, decision) => {
    if (decision.verdict === 'act' && decision.step.do in proof) expect(machine).toBe(proof[decision.step.do]);
  });
});

test('whatever it sees, no workload starts on a VM whose claim was released', () => {
  always(({ claim }, decision) => {
    if (decision.verdict === 'reach' && decision.reach.do === 'start') expect(claim?.released).toBe(false);
    if (decision.verdict === 'act' && decision.step.do === 'run') expect(claim?.released).toBe(false);
  });
});

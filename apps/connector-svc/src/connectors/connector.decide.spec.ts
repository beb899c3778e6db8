import type { Connector } from '@homeostat/shared';
import { type ConnectorSight, decideConnector } from './connector.decide';

const now = new Date('2026-06-01T12:00:00Z');
const later = (ms: number): Date => new Date(now.getTime() + ms);

function sight(connector: Partial<Connector>, conflict: string | null = null): ConnectorSight {
  const policy = { interval_ms: '60000', policy_enabled: true, next_run_at: now };
  return { connector: { id: 'c', status: 'active', ...policy, ...connector } as Connector, conflict };
}

const cases: [string, ConnectorSight, object][] = [
  ['rests without a policy', sight({ interval_ms: null, next_run_at: null }), { verdict: 'settle' }],
  ['rests while its policy is not enabled', sight({ policy_enabled: false }), { verdict: 'settle' }],
  ['waits for the next turn', sight({ next_run_at: later(1) }), { verdict: 'wait', until: later(1) }],
  ['makes the job that is due', sight({}), { verdict: 'act', step: { do: 'schedule' } }],
  [
    'makes one job for all the turns that were missed',
    sight({ next_run_at: later(-86_400_000) }),
    { verdict: 'act', step: { do: 'schedule' } },
  ],
  [
    'does nothing while its destination is in conflict, and says what to do',
    sight({ status: 'conflict' }, 'catalog a is b'),
    { verdict: 'stall', because: 'catalog a is b', fix: expect.stringContaining('PATCH') as string },
  ],
  ['goes on when the conflict has ended', sight({ status: 'conflict' }), { verdict: 'act', step: { do: 'recover' } }],
];

test.each(cases)('%s', (_sentence, seen, decision) => {
  expect(decideConnector(seen, now)).toMatchObject(decision);
});

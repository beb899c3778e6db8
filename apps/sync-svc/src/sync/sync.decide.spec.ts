import { ATTEMPTS, decideSync, retryAfter } from './sync.decide';
import type { CopiedSlice, SyncAnswer, SyncSight } from './sync.sight';

const now = new Date('2026-03-01T12:00:00Z');
const at = (ms: number) => new Date(now.getTime() + ms);
const remote = { address: 'registry.test', repository: 'dir', insecure: false, kind: 'other' } as const;
const fault = { cid: 'a', reason: 'NotCopied', message: 'it broke' };
const slice = (more: Partial<CopiedSlice>): SyncAnswer => ({
  ...{ found: 'slice', remote, done: [], apart: [], failed: [], left: [], refreshed: [], fallbacks: [] },
  ...more,
});

function world(sync: Partial<SyncSight['sync']>, more: Partial<SyncSight> = {}): SyncSight {
  return {
    sync: {
      ...{ id: 'a sync', tenant_id: 'acme', status: 'PENDING', reason: null, message: null, generation: '1' },
      ...{ created_at: now, updated_at: now, remote_directory_url: 'https://there', remote_registry_address: null },
      ...{ remote_repository_name: null, insecure: false, cids: null, requires_regsync: null, auth: null },
      ...{ remote_host: 'there', remote: null, cursor: null, listed_at: null, total: 0, done: 0, failed: 0 },
      ...{ attempts: 0, retry_at: null, started_at: null, progressed_at: now, finished_at: null },
      ...sync,
    },
    ...{ busy: 0, epoch: '1', registry: true, registryFix: 'start one', jitter: 0.5, answer: null },
    settings: { enabled: true, intervalMs: 30_000, perHost: 2, retentionMs: 1_000 },
    ...more,
  };
}
const underWay = (sync: Partial<SyncSight['sync']>, answer: SyncAnswer | null = null) =>
  world({ status: 'IN_PROGRESS', listed_at: now, ...sync }, { answer });

describe('a sync', () => {
  it.each([
    ['that is new asks for regsync first', world({}), { verdict: 'reach', reach: { do: 'find_regsync' } }],
    [
      'starts once regsync is found',
      world({}, { answer: { found: 'tool' } }),
      { verdict: 'act', step: { do: 'start' } },
    ],
    [
      'says that regsync is missing in its row',
      world({}, { answer: { found: 'no_tool', reason: 'RegsyncMissing', message: 'none' } }),
      { verdict: 'act', step: { do: 'mark', reason: 'RegsyncMissing' }, next: 'now' },
    ],
    [
      'and then only how to get it',
      world(
        { reason: 'RegsyncMissing', message: 'none' },
        { answer: { found: 'no_tool', reason: 'RegsyncMissing', message: 'none' } },
      ),
      { verdict: 'wait', until: at(30_000), fix: expect.stringContaining('go install') },
    ],
    ['waits for a registry to copy to', world({}, { registry: false }), { verdict: 'wait', fix: 'start one' }],
    [
      'rests where syncs are turned off',
      world({}, { settings: { ...world({}).settings, enabled: false } }),
      { verdict: 'wait', fix: expect.stringContaining('true') },
    ],
    ['waits for its turn at the host', world({}, { busy: 2 }), { verdict: 'wait', until: at(60_000) }],
    [
      'waits for the next try',
      world({ retry_at: at(9), message: 'why' }),
      { verdict: 'wait', until: at(9), because: 'why' },
    ],
    [
      'that makes no progress for a day is given up',
      world({
        started_at: at(-90_000_000),
        progressed_at: at(-86_400_000),
        reason: 'Unreachable',
        message: 'it was away',
      }),
      { verdict: 'act', step: { do: 'fail', reason: 'Timeout' }, because: expect.stringContaining('it was away') },
    ],
    [
      'that has waited for its turn for days is not',
      world({ progressed_at: at(-864_000_000) }, { busy: 2 }),
      { verdict: 'wait', until: at(60_000) },
    ],
    [
      'nor is one that was paused for days, and nothing since hindered it',
      underWay({ started_at: at(-864_000_000), progressed_at: at(-864_000_000), total: 1, done: 0 }),
      { verdict: 'reach', reach: { do: 'copy' } },
    ],
    ['lists what there is', underWay({ listed_at: null }), { verdict: 'reach', reach: { do: 'list' } }],
    [
      'takes what was listed, and goes on',
      underWay({ listed_at: null }, { found: 'tags', remote, cids: ['a'], next: '/v2/…' }),
      { verdict: 'act', step: { do: 'take_tags', cids: ['a'], next: '/v2/…' }, next: 'now' },
    ],
    [
      'lists anew, after a while, where the tag to go on after is gone',
      underWay({ listed_at: null }, { found: 'restart' }),
      { verdict: 'act', step: { do: 'list_anew' }, next: at(6_000) },
    ],
    [
      'is given up where a registry lists tags without an end',
      underWay({ listed_at: null, total: 1_000_000 }, { found: 'tags', remote, cids: ['a'], next: null }),
      { verdict: 'act', step: { do: 'fail', reason: 'TooManyRecords' } },
    ],
    [
      'that a crash has left goes on with what is open',
      underWay({ total: 3, done: 1 }),
      { verdict: 'reach', reach: { do: 'copy' } },
    ],
    ['is done when all records are there', underWay({ total: 3, done: 3 }), { verdict: 'act', step: { do: 'finish' } }],
    ['is done where there is none', underWay({}), { verdict: 'act', step: { do: 'finish' } }],
    [
      'fails when all that can be are there',
      underWay({ total: 3, done: 2, failed: 1 }),
      { verdict: 'act', step: { do: 'fail', reason: 'RecordsFailed' } },
    ],
    [
      'goes on at once after progress, whatever else was not copied',
      underWay({ total: 2, attempts: 5 }, slice({ done: ['b'], left: [fault] })),
      { verdict: 'act', step: { do: 'note' }, next: 'now' },
    ],
    [
      'that makes none steps back, and tries again',
      underWay({ total: 1 }, slice({ left: [fault] })),
      { verdict: 'act', step: { do: 'requeue', costs: true, reason: 'NotCopied', retryAt: retryAfter(1, 0.5, now) } },
    ],
    [
      'is given up after so many failures in a row',
      underWay({ total: 1, attempts: ATTEMPTS - 1 }, slice({ left: [fault] })),
      { verdict: 'act', step: { do: 'fail', reason: 'NotCopied' }, because: expect.stringContaining('it broke') },
    ],
    [
      'leaves a busy registry alone, at no cost',
      underWay(
        { attempts: ATTEMPTS - 1 },
        { found: 'retry', costs: false, reason: 'RegistryBusy', message: 'busy', until: at(7) },
      ),
      { verdict: 'act', step: { do: 'requeue', costs: false, retryAt: at(7) } },
    ],
    [
      'fails at once where no retry can help',
      underWay({}, { found: 'failed', reason: 'CredentialsRefused', message: 'no' }),
      { verdict: 'act', step: { do: 'fail', reason: 'CredentialsRefused' } },
    ],
    [
      'steps back where regsync is gone meanwhile',
      underWay({}, { found: 'no_tool', reason: 'RegsyncMissing', message: 'none' }),
      { verdict: 'act', step: { do: 'requeue', costs: false, reason: 'RegsyncMissing', retryAt: now } },
    ],
    [
      'that was deleted while it was under way is deleted, whatever came of it',
      world({ status: 'DELETE_PENDING' }, { answer: slice({ done: ['a'] }) }),
      { verdict: 'act', step: { do: 'delete' } },
    ],
    [
      'that has ended is kept for a while',
      world({ status: 'COMPLETED', finished_at: now }),
      { verdict: 'wait', until: at(1_000) },
    ],
    [
      'and then forgotten',
      world({ status: 'DELETED', finished_at: at(-1_000) }),
      { verdict: 'act', step: { do: 'forget' } },
    ],
  ])('%s', (_what, sight, decision) => {
    expect(decideSync(sight, now)).toMatchObject(decision);
  });
});

import type { ReconcileJob } from '@homeostat/shared';
import { type JobSight, type SliceEnd, decideJob, retryAtAfter } from './job.decide';

const now = new Date('2026-06-01T12:00:00Z');
const later = (ms: number): Date => new Date(now.getTime() + ms);
const settings = { attempts: 3, timeoutMs: 3_600_000, retentionMs: 60_000 };

function sight(job: Partial<ReconcileJob>, more: Partial<JobSight> = {}): JobSight {
  return {
    job: {
      ...{
        id: 'j',
        connector_id: 'c',
        status: 'JS_RUNNING',
        attempt: 1,
        retry_at: null,
        slice_epoch: null,
        message: null,
      },
      ...{ created_at: now, finished_at: null, listed_at: now, tables_total: 4 },
      ...job,
    } as ReconcileJob,
    connector: { id: 'c', display_name: 'lake', status: 'active', message: null, max_parallel: 4, paused: false },
    behind: null,
    open: { tables: 2, retryAt: null },
    failed: { tables: 0, messages: [] },
    epoch: '7',
    slice: null,
    jitter: 0.5,
    settings,
    ...more,
  };
}

const paused: SliceEnd = { end: 'paused' };
const broken: SliceEnd = { end: 'retry', costs: true, reason: 'Unreachable', message: 'nobody answers' };
const notReady: SliceEnd = { ...broken, costs: false, reason: 'NotReady' };
const none = { tables: 0, retryAt: null };

const cases: [string, JobSight, object][] = [
  ['starts a queued job', sight({ status: 'JS_QUEUED' }), { verdict: 'act', step: { do: 'start' } }],
  [
    'waits behind another job of its connector',
    sight({ status: 'JS_QUEUED' }, { behind: 'other' }),
    { verdict: 'wait' },
  ],
  [
    'waits until the next attempt',
    sight({ status: 'JS_QUEUED', retry_at: later(500) }),
    { verdict: 'wait', until: later(500) },
  ],
  [
    'starts when that has come',
    sight({ status: 'JS_QUEUED', retry_at: now }),
    { verdict: 'act', step: { do: 'start' } },
  ],
  [
    'lists the tables first',
    sight({ listed_at: null, tables_total: null }, { open: none }),
    { verdict: 'reach', reach: { do: 'work' } },
  ],
  ['works while tables are left', sight({}), { verdict: 'reach', because: '2 of 4 tables are left.' }],
  [
    'waits for tables that are tried again later',
    sight({}, { open: { tables: 2, retryAt: later(90) } }),
    { verdict: 'wait', until: later(90) },
  ],
  [
    'goes on at once after a slice',
    sight({}, { slice: paused }),
    { verdict: 'act', step: { do: 'progress' }, next: 'now' },
  ],
  ['ends when no table is left', sight({}, { slice: paused, open: none }), { verdict: 'act', step: { do: 'finish' } }],
  [
    'ends a source without tables',
    sight({ tables_total: 0 }, { slice: paused, open: none }),
    { because: 'All 0 tables are as in the source.' },
  ],
  [
    'ends after a crash between the last table and the end',
    sight({}, { open: none }),
    { verdict: 'act', step: { do: 'finish' } },
  ],
  [
    'tells the first errors at the end',
    sight({}, { open: none, failed: { tables: 2, messages: ['a: gone', 'b: torn'] } }),
    { step: { do: 'finish' }, because: '2 of 4 tables failed: a: gone; b: torn' },
  ],
  [
    'queues a job again whose worker was lost',
    sight({ slice_epoch: '6' }),
    { step: { do: 'requeue', costs: true, reason: 'WorkerLost' } },
  ],
  [
    'gives up when workers are lost too often',
    sight({ slice_epoch: '6', attempt: 3 }),
    { step: { do: 'fail', reason: 'WorkerLost' } },
  ],
  [
    'tries again what may pass',
    sight({}, { slice: broken }),
    { step: { do: 'requeue', costs: true, retryAt: later(375) } },
  ],
  [
    'gives up after the last attempt',
    sight({ attempt: 3 }, { slice: broken }),
    { step: { do: 'fail', reason: 'Unreachable' } },
  ],
  [
    'never gives up on what is not ready',
    sight({ attempt: 3 }, { slice: notReady }),
    { step: { do: 'requeue', costs: false } },
  ],
  [
    'fails at once where no retry can help',
    sight({}, { slice: { end: 'failed', reason: 'Forbidden', message: 'no' } }),
    { step: { do: 'fail', reason: 'Forbidden' }, because: 'no' },
  ],
  [
    'gives up at its deadline, whatever it waits for',
    sight({ status: 'JS_QUEUED', created_at: later(-3_600_000) }),
    { step: { do: 'fail', reason: 'Timeout' } },
  ],
  [
    'writes down what a slice brought even then',
    sight({ created_at: later(-3_600_000) }, { slice: paused }),
    { step: { do: 'progress' } },
  ],
  ['fails without its connector', sight({}, { connector: null }), { step: { do: 'fail', reason: 'ConnectorGone' } }],
  [
    'fails where the destination is in conflict',
    sight({ status: 'JS_QUEUED' }, { connector: { ...sight({}).connector!, status: 'conflict', message: 'taken' } }),
    { step: { do: 'fail', reason: 'DestinationConflict' }, because: 'taken' },
  ],
  [
    'waits while its connector is paused, and says what to do',
    sight({}, { connector: { ...sight({}).connector!, paused: true } }),
    { verdict: 'wait', until: later(5_000), fix: 'POST /v1/connectors/c/resume' },
  ],
  ['ends a job that is called off', sight({ status: 'JS_CANCELLING', slice_epoch: '6' }), { step: { do: 'cancel' } }],
  ['ends it after a slice, too', sight({ status: 'JS_CANCELLING' }, { slice: broken }), { step: { do: 'cancel' } }],
  [
    'keeps a finished job for a while',
    sight({ status: 'JS_FAILED', finished_at: now }),
    { verdict: 'wait', until: later(60_000) },
  ],
  ['drops it after that', sight({ status: 'JS_SUCCEEDED', finished_at: later(-60_000) }), { step: { do: 'forget' } }],
];

test.each(cases)('%s', (_sentence, seen, decision) => {
  expect(decideJob(seen, now)).toMatchObject(decision);
});

test('waits half a second at first, twice as long each time, and half a minute at most', () => {
  const waits = (jitter: number) =>
    [1, 2, 3, 7, 50].map((attempt) => retryAtAfter(attempt, jitter, now).getTime() - now.getTime());
  expect(waits(0)).toEqual([250, 500, 1_000, 15_000, 15_000]);
  expect(waits(0.999_999)).toEqual([499, 999, 1_999, 29_999, 29_999]);
});

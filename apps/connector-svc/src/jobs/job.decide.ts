import { act, type Decision, reach, type Verb, wait } from '@homeostat/reconcile';
import type { Connector, ReconcileJob } from '@homeostat/shared';

export interface JobSettings {
  readonly attempts: number;
  readonly timeoutMs: number;
  readonly retentionMs: number;
}

/** What a slice of work came to (spec 3, "Failure classes"). */
export type SliceEnd =
  /** Its time was over, nothing is left that can be done now, or somebody wants it to stop. */
  | { readonly end: 'paused' }
  /** The whole job failed for now; `costs`: an attempt. */
  | { readonly end: 'retry'; readonly costs: boolean; readonly reason: string; readonly message: string }
  /** No retry can help. */
  | { readonly end: 'failed'; readonly reason: string; readonly message: string };

/** A job as observed; `slice` is null until it was worked on in this look. */
export interface JobSight {
  readonly job: ReconcileJob;
  readonly connector:
    | (Pick<Connector, 'id' | 'display_name' | 'status' | 'message' | 'max_parallel'> & { readonly paused: boolean })
    | null;
  /** Another job of the same connector that is under way. */
  readonly behind: string | null;
  /** How many of the tables that it found are not at their end, and when the first of those may be tried; null: at once. */
  readonly open: { readonly tables: number; readonly retryAt: Date | null };
  /** Of tables that failed: how many, and the first words about it. */
  readonly failed: { readonly tables: number; readonly messages: readonly string[] };
  /** The lease under which it was observed. */
  readonly epoch: string;
  readonly slice: SliceEnd | null;
  /** In [0, 1), drawn anew for each look. */
  readonly jitter: number;
  readonly settings: JobSettings;
}

export type JobStep =
  | (Verb & { readonly do: 'start' | 'progress' | 'finish' | 'cancel' | 'forget' })
  | (Verb & { readonly do: 'requeue'; readonly costs: boolean; readonly reason: string; readonly retryAt: Date })
  | (Verb & { readonly do: 'fail'; readonly reason: string });

/** One bounded piece of the work on a job. */
export type JobReach = { readonly do: 'work' };
type JobDecision = Decision<JobStep, JobReach>;

const firstBackoffMs = 500;
const mostBackoffMs = 30_000;
/** A job that waits for another is woken by its end; this is for the case that the word was lost. */
const patienceMs = 60_000;
/** Nobody tells a job that its connector goes on. */
const pausedMs = 5_000;

/** Leads a job from queued to its end, slice by slice (spec 3, "Jobs"). */
export function decideJob(sight: JobSight, now: Date): JobDecision {
  const { job, settings } = sight;
  switch (job.status) {
    case 'JS_SUCCEEDED':
    case 'JS_FAILED':
    case 'JS_CANCELLED':
      return kept(job, settings, now);
    case 'JS_CANCELLING':
      return act({ do: 'cancel' }, job.message ?? 'It was cancelled.');
    case 'JS_QUEUED':
      return unworkable(sight, now) ?? queued(sight, now);
    case 'JS_RUNNING':
      return sight.slice ? concluded(sight, sight.slice, now) : (unworkable(sight, now) ?? running(sight, now));
  }
}

/** When a job that failed for the `attempt`-th time is tried again: 0.5 s … 30 s, half of it by chance. */
export function retryAtAfter(attempt: number, jitter: number, now: Date): Date {
  const ceilingMs = Math.min(mostBackoffMs, firstBackoffMs * 2 ** Math.min(attempt - 1, 20));
  return new Date(now.getTime() + ceilingMs / 2 + (jitter * ceilingMs) / 2);
}

function kept({ status, finished_at }: ReconcileJob, { retentionMs }: JobSettings, now: Date): JobDecision {
  const until = new Date((finished_at?.getTime() ?? 0) + retentionMs);
  if (now < until) return wait(`It is ${status}, and can be read until ${until.toISOString()}.`, until);
  return act({ do: 'forget' }, 'It ended long ago.');
}

/** What keeps any open job from being worked on. */
function unworkable({ job, connector, settings }: JobSight, now: Date): JobDecision | null {
  if (!connector) return fail('ConnectorGone', 'Its connector is there no more.');
  const deadline = new Date(job.created_at.getTime() + settings.timeoutMs);
  if (now >= deadline)
    return fail('Timeout', `It was not done by ${deadline.toISOString()}. Last: ${job.message ?? 'nothing'}`);
  if (connector.status === 'conflict')
    return fail('DestinationConflict', connector.message ?? 'Its destination is in conflict.');
  if (!connector.paused) return null;
  return wait(
    'Its connector is paused.',
    earlier(after(now, pausedMs), deadline),
    `POST /v1/connectors/${connector.id}/resume`,
  );
}

function queued({ job, behind }: JobSight, now: Date): JobDecision {
  if (job.retry_at && now < job.retry_at) return wait(job.message ?? 'It is tried again.', job.retry_at);
  if (behind) return wait(`Job ${behind} of the same connector comes first.`, after(now, patienceMs));
  return act({ do: 'start' }, job.attempt === 1 ? 'It is its turn.' : `Attempt ${job.attempt} begins.`);
}

function running(sight: JobSight, now: Date): JobDecision {
  const { job, open } = sight;
  if (job.slice_epoch !== null) return again(sight, true, 'WorkerLost', 'The process that worked on it was lost.', now);
  if (job.listed_at === null) return reach({ do: 'work' }, 'The tables of its source are to be listed.');
  if (open.tables === 0) return act({ do: 'finish' }, ending(sight));
  const left = `${open.tables} of ${job.tables_total} tables are left.`;
  if (open.retryAt && now < open.retryAt) return wait(`${left} The next is tried again then.`, open.retryAt);
  return reach({ do: 'work' }, left);
}

function concluded(sight: JobSight, slice: SliceEnd, now: Date): JobDecision {
  const { job, open } = sight;
  switch (slice.end) {
    case 'failed':
      return fail(slice.reason, slice.message);
    case 'retry':
      return again(sight, slice.costs, slice.reason, slice.message, now);
    case 'paused':
      if (job.listed_at !== null && open.tables === 0) return act({ do: 'finish' }, ending(sight));
      return act({ do: 'progress' }, `${open.tables} of ${job.tables_total ?? 'unknown'} tables are left.`);
  }
}

function again(
  { job, jitter, settings }: JobSight,
  costs: boolean,
  reason: string,
  message: string,
  now: Date,
): JobDecision {
  if (costs && job.attempt >= settings.attempts) {
    return fail(reason, `It failed ${job.attempt} times. Last: ${message}`);
  }
  const retryAt = retryAtAfter(costs ? job.attempt : 4, jitter, now);
  return act({ do: 'requeue', costs, reason, retryAt }, message);
}

function fail(reason: string, because: string): JobDecision {
  return act({ do: 'fail', reason }, because);
}

/** The sentence that a job ends with: what was found, or the first errors. */
function ending({ job, failed }: JobSight): string {
  if (failed.tables === 0) return `All ${job.tables_total} tables are as in the source.`;
  return `${failed.tables} of ${job.tables_total} tables failed: ${failed.messages.join('; ')}`;
}

function after(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms);
}

function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}

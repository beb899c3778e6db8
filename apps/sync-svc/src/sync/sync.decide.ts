import { type Decision, act, reach, wait } from '@homeostat/reconcile';
import type { CopiedSlice, RecordFault, SyncAnswer, SyncReach, SyncSight, SyncStep } from './sync.sight';

type SyncDecision = Decision<SyncStep, SyncReach>;

/** Failures in a row, without a single record copied in between. */
export const ATTEMPTS = 8;
/** Beyond this, a registry lists tags without an end. */
const MOST_RECORDS = 1_000_000;
/** A listing begins anew as late as a fourth failure is tried again. */
const ANEW_AFTER = 4;
/** Without any progress. */
const PATIENCE_MS = 86_400_000;
const FIRST_BACKOFF_MS = 1_000;
const MOST_BACKOFF_MS = 300_000;
/** A sync that waits for another is woken by its end; this is for the case that the word was lost. */
const TURN_MS = 60_000;

/** What somebody without regsync should do. */
export const HOW_TO_INSTALL =
  'Install regsync 0.11.5 or newer, such as with `CGO_ENABLED=0 go install github.com/regclient/regclient/cmd/regsync@v0.11.5`, ' +
  'and have it in PATH, or set RECONCILER_REGSYNC_BINARY to its path.';

/** Leads a sync to its end, slice by slice (spec 2, "Sync"). */
export function decideSync(sight: SyncSight, now: Date): SyncDecision {
  const { sync, settings } = sight;
  switch (sync.status) {
    case 'COMPLETED':
    case 'FAILED':
    case 'DELETED':
      return kept(sync, settings.retentionMs, now);
    case 'DELETE_PENDING':
      return act({ do: 'delete' }, 'Nobody works on it any more.');
    case 'PENDING':
      return hindered(sight, now) ?? pending(sight, now);
    case 'IN_PROGRESS':
      if (sight.answer !== null) return taken(sight, sight.answer, now);
      return hindered(sight, now) ?? underWay(sync);
  }
}

/** When the `attempts`-th failure in a row is followed by another try: 1 s … 5 min, half of it by chance. */
export function retryAfter(attempts: number, jitter: number, now: Date): Date {
  const ceilingMs = Math.min(MOST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** Math.min(attempts - 1, 20));
  return new Date(now.getTime() + ceilingMs / 2 + (jitter * ceilingMs) / 2);
}

function kept({ status, finished_at }: SyncSight['sync'], retentionMs: number, now: Date): SyncDecision {
  const until = new Date((finished_at?.getTime() ?? 0) + retentionMs);
  if (now < until) return wait(`It is ${status}, and can be read until ${until.toISOString()}.`, until);
  return act({ do: 'forget' }, 'It ended long ago.');
}

/** What keeps any open sync from going on. */
function hindered({ sync, settings, registry, registryFix }: SyncSight, now: Date): SyncDecision | null {
  const deadline = new Date(sync.progressed_at.getTime() + PATIENCE_MS);
  // One that has not had its turn has not failed; nor has one that was paused, and nothing since hindered it.
  if (now >= deadline && sync.started_at !== null && sync.reason !== null) {
    const hours = PATIENCE_MS / 3_600_000;
    return act(
      { do: 'fail', reason: 'Timeout' },
      `For ${hours} h nothing was copied. Last: ${sync.message ?? 'nothing'}`,
    );
  }
  const later = after(now, settings.intervalMs);
  if (!settings.enabled) {
    return wait('RECONCILER_REGSYNC_ENABLED is false.', after(now, 3_600_000), 'Set it to true, or delete the sync.');
  }
  return registry ? null : wait('There is no registry to copy to: none is configured.', later, registryFix);
}

function pending(sight: SyncSight, now: Date): SyncDecision {
  const { sync, busy, settings, answer } = sight;
  if (answer?.found === 'no_tool') return toolless(sight, answer, now);
  if (answer?.found === 'tool')
    return act(
      { do: 'start' },
      sync.attempts === 0 ? 'It is its turn.' : `After ${sync.attempts} failure(s) it is tried again.`,
    );
  if (answer !== null) return wait('It was changed while it was looked at.', now);
  if (sync.retry_at && now < sync.retry_at) return wait(sync.message ?? 'It is tried again.', sync.retry_at);
  if (busy >= settings.perHost) {
    return wait(
      `${busy} other sync(s) from ${sync.remote_host} are under way, and no more at once are.`,
      after(now, TURN_MS),
    );
  }
  return reach({ do: 'find_regsync' }, 'regsync is needed, in a version that is safe.');
}

function toolless(
  { sync, settings }: SyncSight,
  { reason, message }: { reason: string; message: string },
  now: Date,
): SyncDecision {
  const until = after(now, settings.intervalMs);
  if (sync.reason === reason && sync.message === message) return wait(message, until, HOW_TO_INSTALL);
  return act({ do: 'mark', reason }, message);
}

function underWay({ listed_at, total, done, failed }: SyncSight['sync']): SyncDecision {
  if (listed_at === null) return reach({ do: 'list' }, `${total} record(s) are listed so far.`);
  if (done + failed < total) return reach({ do: 'copy' }, `${done} of ${total} record(s) are there.`);
  if (failed === 0) return act({ do: 'finish' }, `All ${total} record(s) are there, and are what their CIDs say.`);
  return act(
    { do: 'fail', reason: 'RecordsFailed' },
    `${done} of ${total} record(s) are there, and ${failed} cannot be copied.`,
  );
}

function taken(sight: SyncSight, answer: SyncAnswer, now: Date): SyncDecision {
  switch (answer.found) {
    case 'stopped':
    case 'tool':
      return wait('It was changed while it was worked on.', now);
    case 'no_tool':
      return again(
        sight,
        { costs: false, reason: answer.reason, because: answer.message, until: now, slice: null },
        now,
      );
    case 'restart':
      return act(
        { do: 'list_anew' },
        'The tag after which the listing should go on is gone: it begins anew.',
        retryAfter(ANEW_AFTER, sight.jitter, now),
      );
    case 'tags': {
      const { remote, cids, next } = answer;
      if (sight.sync.total + cids.length > MOST_RECORDS)
        return act(
          { do: 'fail', reason: 'TooManyRecords' },
          `More than ${MOST_RECORDS} records are listed: name those that are wanted.`,
        );
      const because = `${cids.length} record(s) were listed; ${next === null ? 'these are all' : 'the listing goes on'}.`;
      return act({ do: 'take_tags', remote, cids, next }, because);
    }
    case 'slice':
      return noted(sight, answer, now);
    case 'failed':
      return act({ do: 'fail', reason: answer.reason }, answer.message);
    case 'retry': {
      const { costs, reason, message: because, until } = answer;
      return again(sight, { costs, reason, because, until, slice: null }, now);
    }
  }
}

/** A slice without any progress is a failure; after too many, whatever is left stays so. */
function noted(
  sight: SyncSight,
  { found: _, ...slice }: CopiedSlice & { readonly found: 'slice' },
  now: Date,
): SyncDecision {
  const { done, failed, left } = slice;
  if (done.length + failed.length > 0 || left.length === 0) {
    return act(
      { do: 'note', slice },
      `${done.length} record(s) came, ${failed.length} cannot, ${left.length} did not.`,
    );
  }
  const [{ reason, message }] = left as [RecordFault];
  const because = `${left.length} record(s) were not copied. The first: ${message}`;
  return again(sight, { costs: true, reason, because, until: null, slice }, now);
}

interface Again {
  readonly costs: boolean;
  readonly reason: string;
  readonly because: string;
  readonly until: Date | null;
  readonly slice: CopiedSlice | null;
}

function again({ sync, jitter }: SyncSight, { costs, reason, because, until, slice }: Again, now: Date): SyncDecision {
  const attempts = sync.attempts + 1;
  if (costs && attempts >= ATTEMPTS) {
    return act({ do: 'fail', reason }, `It failed ${attempts} times in a row. Last: ${because}`);
  }
  const retryAt = until ?? retryAfter(attempts, jitter, now);
  return act({ do: 'requeue', costs, reason, retryAt, slice }, because);
}

function after(now: Date, ms: number): Date {
  return new Date(now.getTime() + ms);
}

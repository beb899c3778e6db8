import { type Decision, act, settle, wait } from '@homeostat/reconcile';
import type { BuildStatus } from '@homeostat/shared';

export interface BuildSight {
  readonly build: {
    readonly id: string;
    readonly status: BuildStatus;
    readonly created_at: Date;
    readonly started_at: Date | null;
  };
  readonly settings: { readonly timeoutMs: number; readonly queueTimeoutMs: number };
}

export interface BuildStep {
  readonly do: 'time_out';
  /** The state that the deadline belongs to: a report that came first wins. */
  readonly from: BuildStatus;
  readonly reason: 'Timeout' | 'QueueTimeout';
}

/** A build is moved by its builder's reports; this watches the deadlines only (spec 1, "Builds"). */
export function decideBuild({ build, settings }: BuildSight, now: Date): Decision<BuildStep> {
  switch (build.status) {
    case 'queued':
    case 'initializing': {
      const deadline = new Date(build.created_at.getTime() + settings.queueTimeoutMs);
      if (now < deadline) return wait(`it is ${build.status}, and must start before its deadline`, deadline);
      return timeOut(build.status, 'QueueTimeout', `no builder started it within ${settings.queueTimeoutMs / 1000} s`);
    }
    case 'building': {
      const deadline = new Date((build.started_at?.getTime() ?? 0) + settings.timeoutMs);
      if (now < deadline) return wait('a builder works on it, and must be done before its deadline', deadline);
      return timeOut(build.status, 'Timeout', `it was not done within ${settings.timeoutMs / 1000} s of its start`);
    }
    case 'ready':
    case 'canceled':
    case 'error':
      return settle(`it is ${build.status}`);
  }
}

function timeOut(from: BuildStatus, reason: BuildStep['reason'], because: string): Decision<BuildStep> {
  return act({ do: 'time_out', from, reason }, because, 'settled');
}

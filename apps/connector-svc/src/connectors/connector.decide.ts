import { act, type Decision, settle, stall, type Verb, wait } from '@homeostat/reconcile';
import type { Connector } from '@homeostat/shared';

/** A connector as observed. */
export interface ConnectorSight {
  readonly connector: Connector;
  /** What is wrong about its destination; only looked for where it was found to be wrong. */
  readonly conflict: string | null;
}

/** `schedule`: make the job that is due. `recover`: the destination is as it should be again. */
export type ConnectorStep = Verb & { readonly do: 'schedule' | 'recover' };

/** Makes jobs as the policy says, and finds out when a conflict has ended (spec 3, "Jobs"). */
export function decideConnector({ connector, conflict }: ConnectorSight, now: Date): Decision<ConnectorStep> {
  switch (connector.status) {
    case 'conflict':
      return conflict === null
        ? act({ do: 'recover' }, 'Its destination is as it should be again.')
        : stall(conflict, 'PATCH the destination of the connector: name another one, or the one that there is.');
    case 'active':
      return scheduled(connector, now);
  }
}

function scheduled({ interval_ms, policy_enabled, next_run_at }: Connector, now: Date): Decision<ConnectorStep> {
  if (interval_ms === null) return settle('It has no policy: jobs are made by POST …/trigger.');
  if (!policy_enabled || next_run_at === null) return settle('Its policy is not enabled.');
  if (now < next_run_at) return wait(`The next job is made at ${next_run_at.toISOString()}.`, next_run_at);
  return act({ do: 'schedule' }, 'The next job of its policy is due.');
}

import { type Decision, act, reach, settle, wait } from '@homeostat/reconcile';
import type { VmStatus } from '@homeostat/shared';
import type { MachineState, Workload } from '../machines/machines.port';

/** A VM, the claim on it, and – once the provider was asked – its machine. */
export interface VmSight {
  readonly vm: {
    readonly id: string;
    readonly status: VmStatus;
    readonly status_at: Date;
    readonly private_ip: string;
    readonly region: string;
  };
  readonly claim: { readonly id: string; readonly released: boolean; readonly workload: Workload } | null;
  /** null: not asked in this look. */
  readonly machine: MachineState | null;
  readonly settings: { readonly reuse: boolean; readonly bootTimeoutMs: number };
}

export type VmReach =
  | { readonly do: 'boot'; readonly region: string; readonly address: string }
  | { readonly do: 'start'; readonly workload: Workload }
  | { readonly do: 'scrub' }
  | { readonly do: 'delete' };

/** What happened to a machine that nobody asked for. */
export type Straying = 'MachineVanished' | 'WorkloadStopped' | 'MachineStopped' | 'NotEmpty';
type DiscardReason = Straying | 'BootTimeout' | 'ScrubTimeout' | 'Released';

export type VmStep =
  | { readonly do: 'pool' }
  | { readonly do: 'run' }
  | { readonly do: 'stop' }
  | { readonly do: 'switch_off' }
  | { readonly do: 'discard'; readonly reason: DiscardReason }
  | { readonly do: 'forget' };

/** The next step of a VM's life (spec 1, "VM pool"). Its status moves only on what the provider was seen to have done. */
export function decideVm(sight: VmSight, now: Date): Decision<VmStep, VmReach> {
  switch (sight.vm.status) {
    case 'initializing':
      return booting(sight, now);
    case 'pooling':
      return settle('up, and waiting for a claim');
    case 'starting':
      return sight.claim && !sight.claim.released ? starting(sight, sight.claim.workload, now) : stop();
    case 'running':
      return sight.claim && !sight.claim.released ? settle('running its deployment') : stop();
    case 'stopping':
      return stopping(sight, now);
    case 'off':
      return settle('stopped and wiped; the pool takes it back');
    case 'deleting':
      return deleting(sight, now);
  }
}

function booting(sight: VmSight, now: Date): Decision<VmStep, VmReach> {
  const { vm, machine } = sight;
  if (machine === 'up') return act({ do: 'pool' }, 'the provider says that the machine is up', 'settled');
  if (machine === null)
    return reach({ do: 'boot', region: vm.region, address: vm.private_ip }, 'a machine is to be made');
  // A process that stood still in the middle of an order gives it when it goes on, whoever has the VM by then.
  if (machine === 'running' || machine === 'halted')
    return act({ do: 'discard', reason: 'NotEmpty' }, 'an order that came late started a workload on it');
  // Only on a provider's answer: one that fails would eat an address per timeout otherwise.
  if (isOverdue(sight, now)) return act({ do: 'discard', reason: 'BootTimeout' }, overdue(sight, 'up'));
  return wait(`the machine is ${machine}, and not up yet`, nextPoll(sight, now));
}

function starting(sight: VmSight, workload: Workload, now: Date): Decision<VmStep, VmReach> {
  const { machine } = sight;
  if (machine === 'running') return act({ do: 'run' }, 'the provider says that the workload runs', 'settled');
  if (machine === 'absent')
    return act({ do: 'discard', reason: 'MachineVanished' }, 'the provider does not know the machine');
  if (isOverdue(sight, now)) return act({ do: 'discard', reason: 'BootTimeout' }, overdue(sight, 'running'));
  if (machine === null) return reach({ do: 'start', workload }, 'a claim was bound to the VM');
  return wait(`the machine is ${machine}, and does not run the workload yet`, nextPoll(sight, now));
}

function stop(): Decision<VmStep, VmReach> {
  return act({ do: 'stop' }, 'the claim on the VM was released');
}

function stopping(sight: VmSight, now: Date): Decision<VmStep, VmReach> {
  const { machine, settings } = sight;
  if (machine !== 'stopped' && isOverdue(sight, now))
    return act({ do: 'discard', reason: 'ScrubTimeout' }, overdue(sight, 'stopped'));
  if (machine === null) return reach({ do: 'scrub' }, 'the workload is to be stopped and wiped');
  if (machine === 'absent')
    return act({ do: 'discard', reason: 'MachineVanished' }, 'the provider does not know the machine');
  if (machine !== 'stopped') return wait(`the machine is ${machine}, and not stopped yet`, nextPoll(sight, now));
  return settings.reuse
    ? act({ do: 'switch_off' }, 'the machine is stopped and wiped', 'settled')
    : act({ do: 'discard', reason: 'Released' }, 'the release policy is to delete');
}

function deleting(sight: VmSight, now: Date): Decision<VmStep, VmReach> {
  const { machine } = sight;
  if (machine === null) return reach({ do: 'delete' }, 'the VM is to be removed');
  if (machine === 'absent') return act({ do: 'forget' }, 'the machine is gone', 'settled');
  return wait(`the machine is ${machine}, and not gone yet`, nextPoll(sight, now));
}

function isOverdue({ vm, settings }: VmSight, now: Date): boolean {
  return now.getTime() - vm.status_at.getTime() >= settings.bootTimeoutMs;
}

function overdue({ settings }: VmSight, wanted: string): string {
  return `the machine was not ${wanted} within ${settings.bootTimeoutMs / 1000} s`;
}

/** Asks again after a quarter of the time that it has taken so far: at least 250 ms, at most 5 s. */
function nextPoll({ vm }: VmSight, now: Date): Date {
  const soonMs = (now.getTime() - vm.status_at.getTime()) / 4;
  return new Date(now.getTime() + Math.min(5_000, Math.max(250, soonMs)));
}

import { type Decision, act, reach, settle, wait } from '@homeostat/reconcile';
import type { BuildStatus, DeploymentPhase, DeploymentStatus, VmStatus } from '@homeostat/shared';

/** A deployment with everything that its next step depends on. */
export interface DeploymentSight {
  readonly deployment: {
    readonly id: string;
    readonly status: DeploymentStatus;
    readonly phase: DeploymentPhase | null;
    readonly build_id: string | null;
    readonly image_id: string | null;
    readonly vm_id: string | null;
    readonly port: number;
    readonly pinned: boolean;
    readonly cancel_requested_at: Date | null;
    readonly building_at: Date | null;
    readonly image_at: Date | null;
  };
  readonly build: {
    readonly status: BuildStatus;
    readonly image_id: string | null;
    readonly reason: string | null;
    readonly message: string | null;
  } | null;
  /** The claim that is not released yet. */
  readonly claim: {
    readonly id: string;
    readonly vm: { readonly id: string; readonly status: VmStatus; readonly private_ip: string } | null;
  } | null;
  /** Ready deployments of the same environment that were created later (at most 2 are counted). */
  readonly newer: { readonly count: number; readonly newest_ready_at: Date | null };
  /** The queue for VMs, as far as it concerns this deployment. */
  readonly queue: { readonly ahead: number; readonly pooling: number; readonly initializing: number } | null;
  /** null: not asked in this look. */
  readonly health: { readonly healthy: boolean; readonly answer: string } | null;
  readonly settings: {
    readonly gate: 'assigned' | 'running' | 'healthy';
    readonly graceMs: number;
    readonly buildDeadlineMs: number;
    readonly vmDeadlineMs: number;
  };
}

export type FailReason =
  | 'Canceled'
  | 'Superseded'
  | 'BuildMissing'
  | 'BuildFailed'
  | 'BuildCanceled'
  | 'BuildTimeout'
  | 'BuildWithoutImage'
  | 'NoVm'
  | 'NotServing';

export type DeploymentStep =
  | { readonly do: 'build' }
  | { readonly do: 'claim'; readonly image_id: string }
  | { readonly do: 'ready'; readonly vm_id: string }
  | { readonly do: 'adopt'; readonly vm_id: string | null }
  | { readonly do: 'inactivate' }
  | { readonly do: 'fail'; readonly reason: FailReason }
  | { readonly do: 'release' };

export type DeploymentReach = { readonly do: 'check_health'; readonly host: string; readonly port: number };

/** For what nobody need tell us of: a ready deployment that lost its VM, or a gate that was changed meanwhile. */
const RECHECK_MS = 60_000;

type Next = Decision<DeploymentStep, DeploymentReach>;

/** The next step of a deployment (spec 1, "Deployments"). */
export function decideDeployment(sight: DeploymentSight, now: Date): Next {
  const { deployment } = sight;
  switch (deployment.status) {
    case 'queued':
      return givenUp(sight) ?? begin(sight, now);
    case 'building':
      return givenUp(sight) ?? (deployment.phase === 'waiting_for_vm' ? awaitVm(sight, now) : awaitImage(sight, now));
    case 'ready':
      return serve(sight, now);
    case 'inactive':
    case 'failed':
      return sight.claim
        ? act({ do: 'release' }, 'it needs no VM any more', 'settled')
        : settle(`it is ${deployment.status}`);
  }
}

function fail(reason: FailReason, because: string): Next {
  return act({ do: 'fail', reason }, because, 'settled');
}

/** Reasons to stop before it is ready. */
function givenUp({ deployment, newer }: DeploymentSight): Next | null {
  if (deployment.cancel_requested_at) return fail('Canceled', 'it was cancelled on request');
  if (newer.count > 0 && !deployment.pinned)
    return fail('Superseded', 'a newer deployment of its environment is ready');
  return null;
}

function begin(sight: DeploymentSight, now: Date): Next {
  const { deployment, settings } = sight;
  if (deployment.image_id) return claim(sight, deployment.image_id, 'it has its image already: a VM is claimed', now);
  return act({ do: 'build' }, 'a build is requested', later(now, settings.buildDeadlineMs));
}

function claim({ settings }: DeploymentSight, image_id: string, because: string, now: Date): Next {
  return act({ do: 'claim', image_id }, because, later(now, settings.vmDeadlineMs));
}

function awaitImage(sight: DeploymentSight, now: Date): Next {
  const { deployment, build, settings } = sight;
  if (!build) return fail('BuildMissing', `its build ${deployment.build_id} does not exist`);
  const why = build.message ? `: ${build.message}` : '';
  switch (build.status) {
    case 'ready':
      if (!build.image_id) return fail('BuildWithoutImage', 'its build is ready, but has no image');
      return claim(sight, build.image_id, 'its image is built: a VM is claimed', now);
    case 'error':
      return fail(build.reason?.endsWith('Timeout') ? 'BuildTimeout' : 'BuildFailed', `its build failed${why}`);
    case 'canceled':
      return fail('BuildCanceled', `its build was cancelled${why}`);
    case 'queued':
    case 'initializing':
    case 'building': {
      const deadline = later(deployment.building_at, settings.buildDeadlineMs);
      if (deadline <= now)
        return fail('BuildTimeout', `its build is still ${build.status} after ${settings.buildDeadlineMs / 1000} s`);
      return wait(`its build is ${build.status}`, deadline);
    }
  }
}

function awaitVm(sight: DeploymentSight, now: Date): Next {
  const { deployment, claim: claimed, settings } = sight;
  const { vm } = claimed ?? { vm: null };
  const deadline = later(deployment.image_at, settings.vmDeadlineMs);
  if (!deployment.image_id) return awaitImage(sight, now);
  if (!claimed) return claim(sight, deployment.image_id, 'it has no claim on a VM', now);
  if (vm && isServing(sight, vm)) return act({ do: 'ready', vm_id: vm.id }, `VM ${vm.id} was assigned`, 'settled');
  if (deadline <= now) return tooLate(sight);
  if (!vm) return wait(queueSentence(sight), deadline, moreVms);
  if (vm.status !== 'running')
    return wait(`VM ${vm.id} was assigned and is ${vm.status}`, earlier(deadline, later(now, RECHECK_MS)));
  if (!sight.health)
    return reach({ do: 'check_health', host: vm.private_ip, port: deployment.port }, 'its workload runs');
  const sinceMs = now.getTime() - later(deployment.image_at, 0).getTime();
  const recheck = later(now, Math.min(10_000, Math.max(500, sinceMs / 4)));
  return wait(`it is not healthy yet: ${sight.health.answer}`, earlier(recheck, deadline));
}

function tooLate({ claim: claimed, settings }: DeploymentSight): Next {
  const seconds = settings.vmDeadlineMs / 1000;
  if (!claimed?.vm) return fail('NoVm', `no VM was to be had within ${seconds} s`);
  return fail(
    'NotServing',
    `VM ${claimed.vm.id} was assigned, but not ${settings.gate === 'healthy' ? 'healthy' : 'running'} within ${seconds} s`,
  );
}

const moreVms = 'raise RECONCILER_VM_POOL_SIZE, or see GET /v1/pool for what hinders the pool';

function isServing({ settings, health }: DeploymentSight, vm: { readonly status: VmStatus }): boolean {
  switch (settings.gate) {
    case 'assigned':
      return true;
    case 'running':
      return vm.status === 'running';
    case 'healthy':
      return vm.status === 'running' && health?.healthy === true;
  }
}

function queueSentence({ queue }: DeploymentSight): string {
  if (!queue) return 'it waits for a VM';
  const { ahead, pooling, initializing } = queue;
  return `it waits for a VM: ${ahead} ahead of it, ${pooling} free in the pool, ${initializing} on their way`;
}

/** The newest stays, the second newest until the newest has been ready for the grace period, older ones go at once. */
function serve(sight: DeploymentSight, now: Date): Next {
  const { deployment, claim: claimed, newer, settings } = sight;
  const vmId = claimed?.vm?.id ?? null;
  if (!deployment.pinned && newer.count > 1) return inactivate('two newer deployments are ready');
  const graceEnds = newer.newest_ready_at && !deployment.pinned ? later(newer.newest_ready_at, settings.graceMs) : null;
  if (graceEnds && graceEnds <= now) return inactivate('the newer deployment outlived the grace period');
  if (!claimed)
    return act({ do: 'claim', image_id: deployment.image_id! }, 'it has no claim on a VM', graceEnds ?? 'settled');
  if (vmId !== deployment.vm_id) {
    const because = vmId ? `it runs on VM ${vmId} now` : 'its VM was lost; another one is claimed';
    return act({ do: 'adopt', vm_id: vmId }, because);
  }
  if (!vmId) return wait(queueSentence(sight), graceEnds ?? later(now, RECHECK_MS), moreVms);
  if (graceEnds) return wait('a newer deployment is ready; this one stays for the grace period', graceEnds);
  return settle(deployment.pinned ? 'it is ready, and pinned' : 'it is ready');
}

function inactivate(because: string): Next {
  return act({ do: 'inactivate' }, because, 'settled');
}

/** A time that nobody wrote down was long ago: what counts from it is over. */
function later(time: Date | null, ms: number): Date {
  return new Date((time?.getTime() ?? 0) + ms);
}

function earlier(one: Date, other: Date): Date {
  return one < other ? one : other;
}

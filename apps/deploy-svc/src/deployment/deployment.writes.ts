import type { Tx } from '@homeostat/platform';
import type { Plan } from '@homeostat/reconcile';
import { type DeploymentStatus, POOL_ID } from '@homeostat/shared';
import { v7 as uuidv7 } from 'uuid';
import { cancelBuilds } from '../build/build.writes';
import type { DeploymentSight, DeploymentStep } from './deployment.decide';

type Plans = readonly Plan<DeploymentSight, DeploymentStep>[];

interface Written {
  readonly id: string;
  readonly tenant_id: string;
  readonly generation: string;
  readonly environment_id: string;
  readonly from: DeploymentStatus;
}

/**
 * `d`: the plans' deployments, locked one by one in key order, that are still in one of the states `$2`; with why, an id
 * to refer to, and a word. What is updated says `ANY ($1)` once more, so that no plan can begin at another end (decision 3).
 */
const locked = `
  WITH d AS MATERIALIZED (
    SELECT d.id, d.status, p.because, p.ref, p.word
    FROM unnest($1::uuid[], $3::text[], $4::uuid[], $5::text[]) AS p (id, because, ref, word)
    CROSS JOIN LATERAL (SELECT id, status FROM deployment WHERE id = p.id FOR UPDATE) AS d WHERE d.status = ANY ($2))`;
const returned = `RETURNING w.id, w.tenant_id, w.generation, w.environment_id, d.status AS "from"`;

/** queued → building, with a build of its own or the one it has already: a second one is impossible, by constraint. */
export async function build(tx: Tx, plans: Plans, queueTimeoutMs: number): Promise<string[]> {
  const written = await tx.query<
    Written & { build_id: string; commit: string | null; deadline: Date; is_new: boolean }
  >(
    `${locked}, w AS (
       UPDATE deployment w SET status = 'building', phase = 'waiting_for_build', building_at = now(), message = d.because,
         build_id = coalesce((SELECT b.id FROM build b WHERE b.deployment_id = w.id), d.ref)
       FROM d WHERE w.id = d.id AND w.id = ANY ($1) ${returned}, w.project_id, w.commit, w.build_id, w.build_id = d.ref AS is_new),
     made AS (
       INSERT INTO build (id, tenant_id, deployment_id, project_id, commit)
       SELECT build_id, tenant_id, id, project_id, commit FROM w WHERE is_new)
     SELECT w.*, now() + make_interval(secs => $6::float8 / 1000) AS deadline FROM w`,
    [...columns(plans, ['queued'], () => uuidv7()), queueTimeoutMs],
  );
  for (const row of written) {
    const { id, tenant_id, build_id, commit, deadline, is_new } = row;
    moved(tx, row, 'building', is_new ? 'a build was requested' : 'it has a build already');
    if (!is_new) {
      tx.look('deployments', id);
      tx.look('builds', build_id);
      continue;
    }
    tx.changed({
      tenant_id,
      kind: 'builds',
      key: build_id,
      from: null,
      to: 'queued',
      because: `requested by deployment ${id}`,
    });
    tx.emit('build.requested', {
      tenant_id,
      subject: build_id,
      version: '1',
      data: { build_id, deployment_id: id, commit },
    });
    tx.schedule('builds', build_id, deadline, 'it waits for a builder');
  }
  return written.map(({ id }) => id);
}

/** Takes over the image and asks for a VM. A deployment has one unreleased claim at most, by constraint. */
export async function claim(tx: Tx, plans: Plans): Promise<string[]> {
  const wanted = plans[0]!.observed.settings.gate === 'assigned' ? 'assigned' : 'running';
  const written = await tx.query<Written & { claim_id: string }>(
    `${locked}, w AS (
       UPDATE deployment w SET status = CASE WHEN w.status = 'queued' THEN 'building' ELSE w.status END,
         phase = CASE WHEN w.status = 'ready' THEN NULL ELSE 'waiting_for_vm' END, image_id = d.ref,
         building_at = coalesce(w.building_at, now()), image_at = coalesce(w.image_at, now()), message = d.because
       FROM d WHERE w.id = d.id AND w.id = ANY ($1) ${returned}, w.image_id, w.port, w.env, d.word::uuid AS claim_id),
     c AS (
       INSERT INTO vm_claim (id, deployment_id, image_id, port, env, tenant_id, wanted)
       SELECT claim_id, id, image_id, port, env, tenant_id, $6 FROM w ORDER BY id)
     SELECT * FROM w`,
    [...columns(plans, ['queued', 'building', 'ready'], imageOf, () => uuidv7()), wanted],
  );
  for (const row of written) {
    if (row.from === 'queued') moved(tx, row, 'building', 'it has its image already');
    const { tenant_id, id: deployment_id, claim_id } = row;
    tx.emit('vm.claimed', { tenant_id, subject: claim_id, version: '1', data: { claim_id, deployment_id } });
    tx.look('pool', POOL_ID);
  }
  return written.map(({ id }) => id);
}

/** building → ready. Older live deployments of the environment are looked at: this one may supersede them. */
export async function ready(tx: Tx, plans: Plans): Promise<string[]> {
  const written = await tx.query<Written & { vm_id: string; older: string[] }>(
    `${locked} UPDATE deployment w SET status = 'ready', phase = NULL, vm_id = d.ref, ready_at = now(), reason = NULL, message = d.because
     FROM d WHERE w.id = d.id AND w.id = ANY ($1) AND w.phase = 'waiting_for_vm' AND w.cancel_requested_at IS NULL
       AND (SELECT c.vm_id = d.ref FROM vm_claim c WHERE c.deployment_id = w.id AND c.released_at IS NULL LIMIT 1)
     ${returned}, w.vm_id, ARRAY (
       SELECT o.id FROM deployment o
       WHERE o.environment_id = w.environment_id AND o.number < w.number AND o.live) AS older`,
    columns(plans, ['building'], vmOf),
  );
  for (const row of written) {
    const { id, tenant_id, generation, environment_id, vm_id, older } = row;
    tx.changed({
      tenant_id,
      kind: 'deployments',
      key: id,
      from: row.from,
      to: 'ready',
      because: `VM ${vm_id} was assigned`,
    });
    tx.emit('deployment.ready', {
      tenant_id,
      subject: id,
      version: generation,
      data: { deployment_id: id, environment_id, vm_id },
    });
    for (const key of older) tx.look('deployments', key);
  }
  return written.map(({ id }) => id);
}

/** A ready deployment takes the VM that its claim has now, or learns that it has none. */
export async function adopt(tx: Tx, plans: Plans): Promise<string[]> {
  const written = await tx.query<Written>(
    `${locked} UPDATE deployment w SET vm_id = d.ref, reason = CASE WHEN d.ref IS NULL THEN 'VmLost' END, message = d.because
     FROM d WHERE w.id = d.id AND w.id = ANY ($1) ${returned}`,
    columns(plans, ['ready'], vmOf),
  );
  return written.map(({ id }) => id);
}

/** Ends deployments: their VM goes back and is forgotten, their build is cancelled, in the same transaction. */
export async function retire(tx: Tx, plans: Plans): Promise<string[]> {
  const written = await tx.query<Written & { because: string; reason: string | null; build_id: string | null }>(
    `${locked} UPDATE deployment w SET status = CASE WHEN d.word IS NULL THEN 'inactive' ELSE 'failed' END, phase = NULL, vm_id = NULL,
       inactive_at = CASE WHEN d.word IS NULL THEN now() END, failed_at = CASE WHEN d.word IS NOT NULL THEN now() END,
       reason = coalesce(d.word, 'Superseded'), message = d.because
     FROM d WHERE w.id = d.id AND w.id = ANY ($1) AND (w.status = 'ready') = (d.word IS NULL)
       AND NOT (w.pinned AND coalesce(d.word, 'Superseded') = 'Superseded')
     ${returned}, d.because, d.word AS reason, w.build_id`,
    columns(
      plans,
      ['queued', 'building', 'ready'],
      () => null,
      ({ step }) => (step.do === 'fail' ? step.reason : null),
    ),
  );
  for (const { because, reason, ...row } of written)
    moved(tx, row, reason === null ? 'inactive' : 'failed', because, reason ?? 'Superseded');
  const ids = written.map(({ id }) => id);
  await cancelBuilds(
    tx,
    written.flatMap(({ build_id, reason }) => (build_id && reason ? [build_id] : [])),
    'its deployment ended',
  );
  await release(tx, ids);
  return ids;
}

/** Gives the VMs of deployments back. A release names the claim, so it can never take a VM from its next owner. */
export async function release(tx: Tx, deployments: readonly string[]): Promise<string[]> {
  const released = await tx.query<{
    id: string;
    deployment_id: string;
    vm_id: string | null;
    tenant_id: string;
    generation: string;
  }>(
    `UPDATE vm_claim SET released_at = now() WHERE deployment_id = ANY ($1) AND released_at IS NULL
     RETURNING id, deployment_id, vm_id, tenant_id, generation`,
    [deployments],
  );
  for (const { id: claim_id, deployment_id, vm_id, tenant_id, generation } of released) {
    tx.emit('vm.released', {
      tenant_id,
      subject: claim_id,
      version: generation,
      data: { claim_id, deployment_id, vm_id },
    });
    if (vm_id) tx.look('vms', vm_id);
  }
  return released.map(({ deployment_id }) => deployment_id);
}

function moved(tx: Tx, row: Written, to: 'building' | 'inactive' | 'failed', because: string, reason = ''): void {
  const { id, tenant_id, generation, environment_id, from } = row;
  tx.changed({ tenant_id, kind: 'deployments', key: id, from, to, because });
  const fact = { tenant_id, subject: id, version: generation };
  const data = { deployment_id: id, environment_id };
  if (to === 'building') tx.emit('deployment.building', { ...fact, data });
  else tx.emit(`deployment.${to}`, { ...fact, data: { ...data, reason } });
}

function imageOf({ step }: Plans[number]): string | null {
  return step.do === 'claim' ? step.image_id : null;
}

function vmOf({ step }: Plans[number]): string | null {
  return 'vm_id' in step ? step.vm_id : null;
}

function columns(
  plans: Plans,
  from: readonly DeploymentStatus[],
  ref: (plan: Plans[number]) => string | null,
  word: (plan: Plans[number]) => string | null = () => null,
): unknown[] {
  return [plans.map(({ key }) => key), from, plans.map(({ because }) => because), plans.map(ref), plans.map(word)];
}

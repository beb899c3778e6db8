import type { DnsServer } from '@homeostat/testing';
import type { Client, Seen } from './client';
import type { Directory } from './directory';
import { type Lake, reconcileLake } from './lake';
import { type Claim, type Commit, type Street, claims, streets } from './world';

/** One wish of the demo's world, and how it stands. */
export interface Wish {
  readonly label: string;
  readonly kind: 'deployments' | 'domains' | 'reconcile-jobs' | 'syncs' | 'records';
  readonly id: string;
  readonly end: string;
  readonly reason: string | null;
  now: Seen;
}

/** What the world is made of. */
export interface World {
  readonly client: Client;
  readonly dns: DnsServer;
  readonly lake: Lake;
  /** null: without the programs for it. */
  readonly directory: Directory | null;
}

/** States the wishes of the world one after the other; `add` is told of each. */
export async function walk({ client, dns, lake, directory }: World, add: (wish: Wish) => void): Promise<void> {
  const names = [...new Set(streets.map(({ project }) => project))];
  const projects = new Map<string, string>();
  for (const name of names) projects.set(name, (await client.post('/v1/projects', { name })).id);
  await Promise.all([
    reconcileLake(client, lake, add),
    directory?.mirror(client, add),
    ...claims.map((claim) => claimDomain(client, dns, claim, add)),
    ...streets.map((street) => deployAll(client, projects.get(street.project)!, street, add)),
  ]);
}

async function claimDomain(client: Client, dns: DnsServer, claim: Claim, add: (wish: Wish) => void): Promise<void> {
  const domain = await client.post<Seen & { record: { name: string; value: string } }>('/v1/domains', {
    name: claim.name,
  });
  const { name, value } = domain.record;
  if (claim.record === 'right') dns.set(name, { txt: [[value]] });
  if (claim.record === 'wrong') dns.set(name, { txt: [['the token of somebody else']] });
  add({
    label: `${claim.name} (its record is ${claim.record})`,
    kind: 'domains',
    id: domain.id,
    end: claim.end,
    reason: claim.reason,
    now: domain,
  });
}

/** Each commit follows when the one before is ready, or has failed. */
async function deployAll(client: Client, project_id: string, street: Street, add: (wish: Wish) => void): Promise<void> {
  const { id: environment_id } = await client.post('/v1/environments', { project_id, name: street.environment });
  for (const commit of street.commits) {
    const deployment = await client.post('/v1/deployments', { project_id, environment_id, commit: commit.commit });
    add(wishOf(street, commit, deployment));
    await client.get(`/v1/deployments/${deployment.id}?wait=ready&timeout=60s`);
  }
}

function wishOf({ project, environment }: Street, { commit, end, reason }: Commit, now: Seen): Wish {
  return { label: `${project}/${environment} ${commit}`, kind: 'deployments', id: now.id, end, reason, now };
}

/** True when it ended as it should. */
export function isGranted({ now, end, reason }: Wish): boolean {
  return now.status === end && (reason === null || now.reason === reason);
}

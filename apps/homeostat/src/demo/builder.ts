import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from './client';
import { type BuildFate, streets } from './world';

interface Build {
  readonly id: string;
  readonly commit: string;
}

const fates = new Map<string, BuildFate>(
  streets.flatMap(({ commits }) => commits.map(({ commit, fate }) => [commit, fate])),
);

/** A builder as it could run anywhere: takes queued builds over HTTP, and reports what became of them, until stopped. */
export async function runBuilder(client: Client, stopped: AbortSignal): Promise<void> {
  while (!stopped.aborted) {
    const queued = await client.list<Build>('/v1/builds?status=queued');
    await Promise.all(queued.map((build) => client.post(`/v1/builds/${build.id}/start`, { builder: 'demo' })));
    for (const build of queued) void work(client, build);
    await sleep(150, undefined, { signal: stopped }).catch(() => undefined);
  }
}

/** A report may come after the end of the demo; then nobody is there to hear it. */
async function work(client: Client, { id, commit }: Build): Promise<void> {
  const fate = fates.get(commit) ?? 'ready';
  await sleep(500 + Math.random() * 500);
  const image = { registry: 'registry.example', repository: 'demo', tag: commit };
  if (fate === 'ready') await client.post(`/v1/builds/${id}/ready`, { image }).catch(() => undefined);
  if (fate === 'error')
    await client.post(`/v1/builds/${id}/error`, { message: 'a test failed' }).catch(() => undefined);
}

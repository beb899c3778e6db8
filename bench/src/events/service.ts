import { setTimeout as pause } from 'node:timers/promises';
import { Database, defineService, serve } from '@homeostat/platform';
import type { HouseEvent } from '@homeostat/shared';
import { Controller, type OnApplicationBootstrap } from '@nestjs/common';
import { EventPattern } from '@nestjs/microservices';
import { v7 as uuidv7 } from 'uuid';
import { obey, sharedMs } from '../house/orders';
import { bare } from './bare';

/** One half of a pair of services: this program is both, each in a process of its own. */
export interface Start {
  readonly role: 'author' | 'reader';
  readonly settings: Readonly<Record<string, string>>;
}

/** So many changes, each a transaction of its own, at a steady rate. */
export interface Changes {
  readonly projects: readonly string[];
  readonly count: number;
  readonly perSecond: number;
}

/** When each change was begun or heard, by the id in its event. */
export type Times = readonly (readonly [string, number])[];

/** What a full pass emits. */
const PASS = 500;
const AT_ONCE = 4;

/** Changes rows and tells of it, as every service does: history, event and row in one transaction. */
@Controller()
class Author implements OnApplicationBootstrap {
  constructor(private readonly database: Database) {}

  onApplicationBootstrap(): void {
    obey('change', (changes: Changes) => this.change(changes));
    obey('flood', (count: number) => this.flood(count));
  }

  /** Whether those before are done or not. */
  private async change({ projects, count, perSecond }: Changes): Promise<Times> {
    const startedMs = sharedMs();
    const done: Promise<readonly [string, number]>[] = [];
    for (let n = 0; n < count; n += 1) {
      const dueMs = startedMs + (n * 1_000) / perSecond;
      if (sharedMs() < dueMs) await pause(dueMs - sharedMs());
      done.push(this.once(projects[n % projects.length]!));
    }
    return Promise.all(done);
  }

  private async once(project: string): Promise<readonly [string, number]> {
    const beganMs = sharedMs();
    const id = uuidv7();
    await this.database.transaction(async (tx) => {
      await tx.query('UPDATE project SET name = $2 WHERE id = $1', [project, `project ${id}`]);
      const state = { tenant_id: 'default', kind: 'deployments', key: id } as const;
      tx.changed({ ...state, from: 'building', to: 'ready', because: 'it has a VM' });
      tx.emit('deployment.ready', fact(id, project));
    });
    return [id, beganMs];
  }

  /** Seconds from the first transaction until the broker has confirmed every event, and the table is empty. */
  private async flood(count: number): Promise<number> {
    const startedMs = sharedMs();
    let left = count;
    const write = async (): Promise<void> => {
      while (left > 0) {
        const ids = Array.from({ length: Math.min(left, PASS) }, () => uuidv7());
        left -= ids.length;
        await this.database.transaction(async (tx) => {
          for (const id of ids) tx.emit('deployment.ready', fact(id, id));
        });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, write));
    const isEmpty = async (): Promise<boolean> =>
      (await this.database.query<{ empty: boolean }>('SELECT NOT EXISTS (SELECT FROM outbox) AS empty'))[0]!.empty;
    while (!(await isEmpty())) await pause(10);
    return (sharedMs() - startedMs) / 1_000;
  }
}

function fact(id: string, project: string) {
  const data = { deployment_id: id, environment_id: project, vm_id: project };
  return { tenant_id: 'default', subject: id, version: '1', data };
}

/** Notes when its handler begins. */
@Controller()
class Reader implements OnApplicationBootstrap {
  private heard: [string, number][] = [];

  onApplicationBootstrap(): void {
    obey('heard', () => this.heard);
    obey('count', () => this.heard.length);
    obey('forget', () => void (this.heard = []));
  }

  @EventPattern('deployment.ready')
  hear({ data }: HouseEvent<'deployment.ready'>): void {
    this.heard.push([data.deployment_id, sharedMs()]);
  }
}

const shape = { role: 'homeostat_deploy', port: 0, settings: {}, reconcilers: [] } as const;
const halves = {
  author: defineService({ ...shape, name: 'bench-author', controllers: [Author] }),
  reader: defineService({ ...shape, name: 'bench-reader', controllers: [Reader] }),
};

obey('serve', async ({ role, settings }: Start) => {
  const running = await serve([halves[role]], settings);
  process.once('disconnect', () => void running.stop().then(() => process.exit()));
  return running.url;
});
obey('bare', bare);

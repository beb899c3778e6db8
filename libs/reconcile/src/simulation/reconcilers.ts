import { act, reach, settle, stall, wait } from '../decision';
import type { AnyReconciler, Plan, Reconciler } from '../reconciler';
import type { Life } from './life';
import type { Outside } from './outside';
import type { Tables, Thing, Unit } from './unit';
import type { Wire } from './wire';

/** What a process's reconcilers stand on. */
export interface Ground {
  readonly tables: Tables;
  readonly outside: Outside;
  readonly wire: Wire;
  readonly life: Life;
  reaching(kind: string, key: string, by: number): void;
}

interface Deployment extends Thing {
  readonly build: Thing | null;
}
interface Build extends Thing {
  readonly image: boolean;
}
interface Step {
  readonly do: 'build' | 'finish' | 'refresh';
}

export const reachesAtOnce = 3;
const deadlineMs = 120_000;

/** The toy fleet: a short kind, a long one, and one that only a person can help. */
export function reconcilers(ground: Ground): AnyReconciler<Unit>[] {
  return [deployments(ground), builds(ground), stalled(ground)];
}

/** queued → building → ready, then once more for each wish; wakes its build, and is woken by it. */
function deployments({ wire, tables }: Ground): Reconciler<Deployment, Step, never, Unit> {
  return {
    kind: 'deployments',
    observe: (keys) => wire.call(() => found(keys, (key) => deploymentOf(tables, key))),
    decide({ state, build, wanted, done }, now) {
      if (state === 'queued') return act({ do: 'build' }, 'it has no build yet');
      if (state === 'building' && build?.state === 'ready') return act({ do: 'finish' }, 'its build is ready');
      if (state === 'building') return wait('it waits for its build', new Date(now.getTime() + deadlineMs));
      return done < wanted ? act({ do: 'refresh' }, 'it is wished for again') : settle('it is ready');
    },
    async act(plans, unit) {
      await unit.statement();
      const poison = plans.find(({ key }) => key.startsWith('poison'));
      if (poison) throw new Error(`${poison.key} breaks every statement it is part of`);
      return new Set(plans.filter((plan) => advance(plan, unit)).map(({ key }) => key));
    },
  };
}

/** Conditional on the state that was observed, so that a second writer finds nothing to do. */
function advance({ key, step, observed }: Plan<Deployment, Step>, unit: Unit): boolean {
  const thing = unit.get('deployments', key);
  if (thing?.state !== observed.state || thing.done !== observed.done) return false;
  if (step.do === 'build') {
    unit.set('deployments', key, { ...thing, state: 'building' }, `${key} starts to build`);
    unit.set('builds', key, { state: 'building', wanted: 0, done: 0 }, `${key} gets a build`);
    unit.wake('builds', key);
  }
  if (step.do === 'finish') unit.set('deployments', key, { ...thing, state: 'ready' }, `${key} is ready`);
  if (step.do === 'refresh')
    unit.set('deployments', key, { ...thing, done: thing.done + 1 }, `${key} is refreshed: ${thing.done + 1}`);
  return true;
}

/** Asks the outside for an image, which takes its time, and notes that it is there. */
function builds({
  wire,
  tables,
  outside,
  life,
  reaching,
}: Ground): Reconciler<Build, { do: 'keep' }, { do: 'order' }, Unit> {
  return {
    kind: 'builds',
    reaches: { atOnce: reachesAtOnce, timeoutMs: 10_000 },
    observe: (keys) => wire.call(() => found(keys, (key) => withImage(tables.get('builds', key), false))),
    decide({ state, image }) {
      if (state === 'ready') return settle('the image is there');
      return image ? act({ do: 'keep' }, 'the image has come', 'settled') : reach({ do: 'order' }, 'there is no image');
    },
    async reach({ key, observed }, signal) {
      reaching('builds', key, 1);
      const over = (): void => reaching('builds', key, -1);
      signal.addEventListener('abort', over, { once: true });
      await outside.image(key, life, signal).finally(() => {
        signal.removeEventListener('abort', over);
        if (!signal.aborted) over();
      });
      return { ...observed, image: true };
    },
    async act(plans, unit) {
      await unit.statement();
      return new Set(plans.filter(({ key }) => keepImage(key, unit)).map(({ key }) => key));
    },
  };
}

function keepImage(key: string, unit: Unit): boolean {
  const build = unit.get('builds', key);
  if (build?.state !== 'building') return false;
  unit.set('builds', key, { ...build, state: 'ready' }, `${key} keeps its image`);
  unit.wake('deployments', key);
  return true;
}

function stalled({ wire, tables }: Ground): Reconciler<Thing, never, never, Unit> {
  return {
    kind: 'stalled',
    observe: (keys) => wire.call(() => found(keys, (key) => tables.get('stalled', key))),
    decide: () => stall('its name is taken', 'choose another name'),
    act: () => Promise.reject(new Error('there is nothing to act on')),
  };
}

function deploymentOf(tables: Tables, key: string): Deployment | undefined {
  const thing = tables.get('deployments', key);
  return thing && { ...thing, build: tables.get('builds', key) ?? null };
}

function withImage(build: Thing | undefined, image: boolean): Build | undefined {
  return build && { ...build, image };
}

function found<T>(keys: readonly string[], find: (key: string) => T | undefined): Map<string, T> {
  const entries = keys.map((key) => [key, find(key)] as const);
  return new Map(entries.filter((entry): entry is readonly [string, T] => entry[1] !== undefined));
}

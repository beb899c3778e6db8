import { randomUUID } from 'node:crypto';
import { Database, type HouseReconciler, Looks, defineService, serve } from '@homeostat/platform';
import { reach } from '@homeostat/reconcile';
import { Controller, type OnApplicationBootstrap } from '@nestjs/common';
import { type Contender, endless } from './contender';

type Kind = 'domains' | 'name-verifications';

/** At the values that every service runs with: a lease of 8 s, renewed every 2.7 s. */
export const defaults: Contender = {
  name: 'Homeostat, default',
  settings: 'nothing set',
  beatMs: 5_000,
  slow: false,
  start: (url, begun) => started('domains', url, {}, begun),
};

/** The lease has one value for the whole house; the poll is what can be set. */
export const fastest: Contender = {
  name: 'Homeostat, fastest',
  settings: 'RECONCILER_INTERVAL=1s',
  beatMs: 2_700,
  slow: false,
  start: (url, begun) => started('name-verifications', url, { RECONCILER_INTERVAL: '1s' }, begun),
};

async function started(
  kind: Kind,
  url: string,
  set: Readonly<Record<string, string>>,
  begun: (id: string) => void,
): Promise<() => Promise<string>> {
  class Endless implements HouseReconciler<null, never, { readonly do: 'hang' }> {
    readonly kind = kind;
    readonly reaches = { atOnce: 100, timeoutMs: 3_600_000 };
    observe = async (keys: readonly string[]) => new Map(keys.map((key) => [key, null]));
    decide = () => reach({ do: 'hang' } as const, 'there is no end to it');
    reach = ({ key }: { readonly key: string }): Promise<null> => {
      begun(key);
      return endless();
    };
    act = async () => new Set<string>();
    describe = () => ({ desired: {}, observed: {} });
  }
  const added: { add?: () => Promise<string> } = {};
  @Controller()
  class Wishes implements OnApplicationBootstrap {
    constructor(
      private readonly database: Database,
      private readonly looks: Looks,
    ) {}

    onApplicationBootstrap(): void {
      added.add = async () => {
        const id = randomUUID();
        await this.database.transaction(async (tx) => tx.look(kind, id));
        this.looks.nudge(kind);
        return id;
      };
    }
  }
  const rest = { port: 0, settings: {}, controllers: [Wishes], reconcilers: [Endless] };
  const service = defineService({ name: 'bench-worker', role: 'homeostat_domain', ...rest });
  const fixed = { RECONCILER_HTTP_PORT: '0', RECONCILER_LOG_LEVEL: 'warn' };
  await serve([service], { RECONCILER_DATABASE_URL: url, ...fixed, ...set });
  return added.add!;
}

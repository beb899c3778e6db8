import { join, resolve } from 'node:path';
import { type Running, migrate, serve, settingsOf, startPostgres } from '@homeostat/platform';
import { connectorService } from '@homeostat/connector-svc';
import { deployService } from '@homeostat/deploy-svc';
import { domainService } from '@homeostat/domain-svc';
import { syncService } from '@homeostat/sync-svc';
import { vmPoolService } from '@homeostat/vm-pool-svc';
import { type Claimed, claimFolder } from './folder';
import { forgetEverything, makeFirstRegions } from './prepare';

/** Every service of the house. */
export const services = [domainService, deployService, vmPoolService, syncService, connectorService];

export interface UpOptions {
  /** Where the embedded database lives; not used with a database of one's own. */
  readonly dataDir: string;
  /** null: the embedded one. */
  readonly databaseUrl: string | null;
  /** Forgets whatever the database holds first. */
  readonly fresh?: boolean;
  /** Made where there is none. */
  readonly regions?: readonly string[];
  readonly preset?: Readonly<Record<string, string>>;
  /** Told what is going on, in a sentence each. */
  readonly say: (sentence: string) => void;
}

/** Starts all services in this process, on the embedded database unless one is given. Throws what hinders it. */
export async function up({
  dataDir,
  databaseUrl,
  fresh = false,
  regions = ['local'],
  preset = {},
  say,
}: UpOptions): Promise<Running> {
  settingsOf(services, { ...preset, RECONCILER_DATABASE_URL: databaseUrl ?? 'postgres://embedded' });
  const folder = databaseUrl === null ? await claimFolder(resolve(dataDir)) : null;
  const postgres =
    folder && (await startPostgres({ dataDir: join(folder.path, 'postgres'), log: say }).catch(releasing(folder)));
  const url = databaseUrl ?? postgres!.url;
  const stopDatabase = async (): Promise<void> => {
    await postgres?.stop();
    await folder?.release();
  };
  try {
    if (fresh) await forgetEverything(url);
    const applied = await migrate(url);
    if (applied.length > 0) say(`the schema was brought up to date: ${applied.join(', ')}`);
    await makeFirstRegions(url, regions);
    const running = await serve(services, { RECONCILER_DATABASE_URL: url, ...preset });
    await folder?.announce(running.url);
    const stop = async (): Promise<void> => {
      await running.stop().finally(stopDatabase);
    };
    return { url: running.url, stop };
  } catch (error) {
    await stopDatabase();
    throw error;
  }
}

function releasing({ release }: Claimed): (error: unknown) => Promise<never> {
  return async (error) => {
    await release();
    throw error;
  };
}

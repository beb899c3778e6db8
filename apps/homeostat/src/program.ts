import { houseSettings, migrate, readSettings, scopes, stopOnSignal } from '@homeostat/platform';
import { Command, Option } from 'commander';
import { demo } from './demo/demo';
import { type TokenWish, tokenOf } from './token';
import { up } from './up';

const say = (sentence: string): void => void process.stderr.write(`${sentence}\n`);
const dataFolder = new Option('--data <folder>', 'where the embedded database lives').default('.homeostat');

/** The command line. */
export const program = new Command('homeostat')
  .description('State what should be true, and it is made so, kept so, and explained.')
  .showHelpAfterError();

program
  .command('up')
  .description('run all services in one process, on an embedded PostgreSQL unless RECONCILER_DATABASE_URL is set')
  .addOption(dataFolder)
  .action(async ({ data }: { data: string }) => {
    const starting = up({ dataDir: data, databaseUrl: databaseUrl(), say });
    stopOnSignal({ stop: async () => (await starting).stop() });
    const { url } = await starting;
    say(`homeostat is up: ${url} (the API is described at ${url}/docs); Ctrl-C stops it`);
  });

program
  .command('demo')
  .description('run a small world from its wishes to its goal before your eyes')
  .option('--once', 'exit when the world has converged (0), or when it has not (1)', false)
  .action(({ once }: { once: boolean }) => demo({ once, say }));

program
  .command('migrate')
  .description('bring the schema of RECONCILER_DATABASE_URL to the newest version, and make the roles of the services')
  .action(async () => {
    const { RECONCILER_DATABASE_URL: url } = readSettings({
      RECONCILER_DATABASE_URL: houseSettings.RECONCILER_DATABASE_URL,
    });
    const applied = await migrate(url);
    say(applied.length > 0 ? `applied ${applied.join(', ')}` : 'the schema is up to date');
  });

program
  .command('token')
  .description('sign a token with RECONCILER_AUTH_SECRET, and print it')
  .requiredOption('--subject <name>', 'who it is for')
  .option('--tenant <name>', 'whose rows it opens', 'default')
  .option('--scope <scopes...>', `what it allows: ${scopes.join(', ')}`, ['read', 'write'])
  .option('--expires <duration>', 'for how long, such as 1h or 720h', '24h')
  .action(async (wanted: TokenWish) => {
    process.stdout.write(`${await tokenOf(wanted)}\n`);
  });

function databaseUrl(): string | null {
  const { RECONCILER_DATABASE_URL: url } = readSettings({
    RECONCILER_DATABASE_URL: houseSettings.RECONCILER_DATABASE_URL.optional(),
  });
  return url ?? null;
}

import { houseSettings, migrate, readSettings, scopes, stopOnSignal } from '@homeostat/platform';
import { Command, Option } from 'commander';
import { type Wish, dealWith, listDeadLetters } from './dead-letters';
import { makeLogins } from './logins';
import { type TokenWish, tokenOf } from './token';
import { services, up } from './up';

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
  .action(async ({ once }: { once: boolean }) => {
    // An image for production goes without it, and without the test servers that it stands on.
    const { demo } = await import('./demo/demo.js');
    await demo({ once, say });
  });

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
  .command('logins')
  .description('make a login for each service at RECONCILER_DATABASE_URL, and a user at RECONCILER_AMQP_ADMIN_URL')
  .action(async () => say(`logins are there for ${(await makeLogins()).join(', ')}`));

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

const names = services.map(({ name }) => name);
const deadLetters = program
  .command('dead-letters')
  .description('deal with the messages at RECONCILER_AMQP_URL that services gave up');

deadLetters
  .command('list')
  .description('show them, the oldest of each service first')
  .option('--service <name>', 'of one service')
  .option('--limit <number>', 'of each service', '50')
  .action(async (wish: Wish) => void process.stdout.write(`${await listDeadLetters(names, wish)}\n`));

for (const [how, what] of [
  ['requeue', 'let the service try them again'],
  ['drop', 'forget them'],
] as const)
  deadLetters
    .command(how)
    .description(`${what}: one, or up to 1000 at a time`)
    .requiredOption('--service <name>', 'whose')
    .option('--id <id>', 'only this one')
    .action(async (wish: Wish & { service: string }) => say(await dealWith(how, names, wish)));

function databaseUrl(): string | null {
  const { RECONCILER_DATABASE_URL: url } = readSettings({
    RECONCILER_DATABASE_URL: houseSettings.RECONCILER_DATABASE_URL.optional(),
  });
  return url ?? null;
}

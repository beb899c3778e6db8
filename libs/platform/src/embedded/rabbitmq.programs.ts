import { execFileSync } from 'node:child_process';
import { existsSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** The programs of an installed RabbitMQ, and the path on which they find Erlang. */
export interface RabbitmqPrograms {
  /** RabbitMQ's own script, not a distribution's wrapper, which changes the user and the directories. */
  readonly server: string;
  readonly ctl: string;
  /** Erlang's name server. */
  readonly epmd: string;
  readonly path: string;
}

/** Where packages and images put it; none of these is on an ordinary user's path everywhere. */
const usual = ['/usr/lib/rabbitmq/bin', '/opt/rabbitmq/sbin', '/opt/homebrew/sbin', '/usr/local/sbin'];

/** Finds what a server of our own needs; throws a sentence with what to do when there is none. */
export function findRabbitmq(): RabbitmqPrograms {
  const [onPath, erl, epmd, path] = shell(['rabbitmq-server', 'erl', 'epmd']);
  for (const candidate of [onPath, ...usual.map((directory) => join(directory, 'rabbitmq-server'))]) {
    const server = candidate && existsSync(candidate) ? realpathSync(candidate) : '';
    const directory = dirname(server);
    // A wrapper that calls itself by its own name, under another user, would go on doing so for ever.
    if (basename(server) !== 'rabbitmq-server' || !existsSync(join(directory, 'rabbitmq-env'))) continue;
    if (!erl || !epmd) throw new Error(`${server} needs Erlang: put erl and epmd on the PATH`);
    return { server, ctl: join(directory, 'rabbitmqctl'), epmd, path: `${path}:/usr/local/bin:/usr/bin:/bin` };
  }
  throw new Error(
    'no RabbitMQ is installed here: apt-get install rabbitmq-server (its service need not run), brew install rabbitmq, ' +
      'or set RECONCILER_AMQP_URL to a server of yours',
  );
}

/** Where the shell finds these programs, an empty string for each that it does not find; and its path. */
function shell(names: readonly string[]): string[] {
  const words = names.map((name) => `command -v ${name} || echo`);
  return execFileSync('/bin/sh', ['-c', `${words.join('; ')}; echo "$PATH"`], { encoding: 'utf8' }).split('\n');
}

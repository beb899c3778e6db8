import { DeadLetters, SettingsError, brokerOf, houseSettings, readSettings } from '@homeostat/platform';
import Table from 'cli-table3';

/** Which dead letters the command line means. */
export interface Wish {
  readonly service?: string;
  readonly id?: string;
  readonly limit?: string;
}

/** More would not be read, and each of them is held in memory. */
const MOST_LISTED = 500;

/**
 * Returns the dead letters of a service, or of all of these, as a table for people. Throws an error that names the
 * faulty option, or SettingsError without a broker.
 */
export async function listDeadLetters(services: readonly string[], { service, limit = '50' }: Wish): Promise<string> {
  const wanted = service === undefined ? services : [known(services, service)];
  const most = wholeNumber(limit);
  const letters = deadLetters();
  const table = new Table({
    head: ['service', 'id', 'type', 'died at', 'count', 'why'],
    style: { head: [], border: [] },
  });
  let total = 0;
  for (const one of wanted) {
    const found = await letters.list(one, most);
    total += found.total;
    for (const { id, type, died_at, count, message } of found.items)
      table.push([one, id, type ?? '', died_at.toISOString(), count, message]);
  }
  return total === 0 ? 'no dead letters' : `${table.toString()}\n${table.length} of ${total}`;
}

/** Deals with the dead letters of one of these services, or with one of them, and returns a sentence. Throws as above. */
export async function dealWith(
  how: 'requeue' | 'drop',
  services: readonly string[],
  { service, id }: Wish & { service: string },
): Promise<string> {
  known(services, service);
  const { count, remaining } = await deadLetters()[how]({ service, id: id ?? null });
  return `${how === 'requeue' ? 'put back' : 'dropped'} ${count} of ${service}; ${remaining} left`;
}

function known(services: readonly string[], service: string): string {
  if (services.includes(service)) return service;
  throw new Error(`--service ${service}: there is no such service; choose one of ${services.join(', ')}`);
}

function wholeNumber(limit: string): number {
  const number = /^\d{1,9}$/.test(limit) ? Number(limit) : NaN;
  if (number >= 1 && number <= MOST_LISTED) return number;
  throw new Error(`--limit ${limit}: write a whole number from 1 to ${MOST_LISTED}, such as 50`);
}

function deadLetters(): DeadLetters {
  const { RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE } = houseSettings;
  const broker = brokerOf(readSettings({ RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE }));
  if (!broker) throw new SettingsError(['RECONCILER_AMQP_URL is missing: dead letters are in RabbitMQ']);
  return new DeadLetters(broker);
}

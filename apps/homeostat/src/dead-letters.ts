import { DeadLetters, SettingsError, brokerOf, houseSettings, readSettings } from '@homeostat/platform';
import Table from 'cli-table3';

/** Which dead letters the command line means. */
export interface Wish {
  readonly service?: string;
  readonly id?: string;
  readonly limit?: string;
}

/** Returns the dead letters of a service, or of all of these, as a table for people. Throws SettingsError without a broker. */
export async function listDeadLetters(services: readonly string[], { service, limit = '50' }: Wish): Promise<string> {
  const letters = deadLetters();
  const table = new Table({
    head: ['service', 'id', 'type', 'died at', 'count', 'why'],
    style: { head: [], border: [] },
  });
  let total = 0;
  for (const one of service === undefined ? services : [service]) {
    const found = await letters.list(one, Number(limit));
    total += found.total;
    for (const { id, type, died_at, count, message } of found.items)
      table.push([one, id, type ?? '', died_at.toISOString(), count, message]);
  }
  return total === 0 ? 'no dead letters' : `${table.toString()}\n${table.length} of ${total}`;
}

/** Deals with the dead letters of a service, or with one of them, and returns a sentence. */
export async function dealWith(how: 'requeue' | 'drop', { service, id }: Wish & { service: string }): Promise<string> {
  const { count, remaining } = await deadLetters()[how]({ service, id: id ?? null });
  return `${how === 'requeue' ? 'put back' : 'dropped'} ${count} of ${service}; ${remaining} left`;
}

function deadLetters(): DeadLetters {
  const { RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE } = houseSettings;
  const broker = brokerOf(readSettings({ RECONCILER_AMQP_URL, RECONCILER_AMQP_CA_FILE }));
  if (!broker) throw new SettingsError(['RECONCILER_AMQP_URL is missing: dead letters are in RabbitMQ']);
  return new DeadLetters(broker);
}

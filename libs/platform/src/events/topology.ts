import type { Channel } from 'amqplib';

/** Where every event goes; its routing key is its type. */
export const EVENTS = 'homeostat.events';
/** Where a queue's dead letters go; their routing key is the queue's name. */
const DEAD = 'homeostat.dead';
/** Deliveries beyond the first, whether a handler failed or a process died over it. */
const DELIVERY_LIMIT = 10;
/** Looking at a dead letter must not count as trying it; RabbitMQ 4 would otherwise drop it after 20 looks. */
const UNLIMITED = 1_000_000_000;

/** The name of a service's queue. */
export function queueOf(service: string): string {
  return `homeostat.${service}`;
}

/** The name of the queue that holds a service's dead letters. */
export function deadQueueOf(service: string): string {
  return `homeostat.${service}.dead`;
}

/** Declares the exchange that events are published to. Throws, with what to do, when there is another one of that name. */
export async function declareExchange(channel: Channel): Promise<void> {
  await channel.assertExchange(EVENTS, 'topic', { durable: true }).catch(explain('exchange', EVENTS));
}

/**
 * Declares a service's queues, and binds its queue to the types that are wanted; any replica may do so at any time.
 * Bindings of an older version are left alone, since it may run beside this one; what they bring is passed over. Throws,
 * with what to do, when there are other queues of these names.
 */
export async function declareQueues(channel: Channel, service: string, types: Iterable<string>): Promise<void> {
  const [queue, dead] = [queueOf(service), deadQueueOf(service)];
  await declareExchange(channel);
  await channel.assertExchange(DEAD, 'direct', { durable: true }).catch(explain('exchange', DEAD));
  await declareQueue(channel, dead, { 'x-delivery-limit': UNLIMITED });
  await channel.bindQueue(dead, DEAD, queue);
  await declareQueue(channel, queue, {
    'x-delivery-limit': DELIVERY_LIMIT,
    'x-dead-letter-exchange': DEAD,
    'x-dead-letter-routing-key': queue,
    // A dead letter leaves its queue when the other one has it, and not before.
    'x-dead-letter-strategy': 'at-least-once',
    'x-overflow': 'reject-publish',
  });
  for (const type of types) await channel.bindQueue(queue, EVENTS, type);
}

async function declareQueue(channel: Channel, name: string, more: Record<string, unknown>): Promise<void> {
  const options = { durable: true, arguments: { 'x-queue-type': 'quorum', ...more } };
  await channel.assertQueue(name, options).catch(explain('queue', name));
}

/** The broker's answer to a declaration that does not fit what is there names the argument, but not what to do. */
function explain(what: 'queue' | 'exchange', name: string): (error: unknown) => never {
  return (error) => {
    const text = String((error as Error).message);
    const found =
      /inequivalent arg '(?<arg>[^']+)' for .* in vhost '(?<vhost>[^']*)': received (?<ours>.+) but current is (?<theirs>.+?)"?$/.exec(
        text,
      )?.groups;
    if (!found) throw error;
    const { arg, vhost, ours, theirs } = found;
    // Quorum queues cannot be deleted only if they are empty.
    const mend =
      what === 'queue'
        ? `once there is nothing in it that you would miss, run: rabbitmqctl --vhost '${vhost}' delete_queue ${name}`
        : `with the management plugin, run: rabbitmqadmin --vhost='${vhost}' delete exchange name=${name}`;
    throw new Error(
      `the ${what} ${name} was made with another ${arg} (${plain(theirs!)}; wanted is ${plain(ours!)}): ${mend}; it is made anew ` +
        'within seconds, and until then this service finds its work by polling',
    );
  };
}

/** The broker's words for a value: `the value '5' of type 'signedint'`, or `'quorum'`. */
function plain(words: string): string {
  return /'([^']*)'/.exec(words)?.[1] ?? words;
}

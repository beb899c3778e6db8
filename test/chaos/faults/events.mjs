import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';

const require = createRequire(import.meta.url);
const EXCHANGE = 'homeostat.events';
const LASTS_MS = [2_000, 5_000];

/** What happens to events between the exchange and the queues of the services: somebody in between has them all. */
export const events = {
  'every event is lost': (fleet, chance) => between(fleet, chance, () => []),
  'every event is doubled': (fleet, chance) => between(fleet, chance, (batch) => batch.flatMap((one) => [one, one])),
  'events are out of order': (fleet, chance) =>
    between(fleet, chance, (batch) => batch.toSorted(() => chance.between(0, 1) - 0.5)),
};

/** Takes the queues of the services off the exchange, and passes on to them what `change` makes of each batch of events. */
async function between(fleet, chance, change) {
  const connection = await require('amqplib').connect(fleet.broker.url, { noDelay: true });
  const channel = await connection.createChannel();
  const bindings = await fleet.broker.bindings(EXCHANGE, /^homeostat\./);
  const held = [];
  await channel.assertQueue('chaos.between', { exclusive: true });
  await channel.consume('chaos.between', (message) => message && held.push(message), { noAck: true });
  for (const { key } of bindings) await channel.bindQueue('chaos.between', EXCHANGE, key);
  for (const endMs = performance.now() + chance.between(...LASTS_MS); performance.now() < endMs; await sleep(300)) {
    // Again and again: the services see to it that their queues are bound.
    await Promise.all(bindings.map(({ queue, key }) => channel.unbindQueue(queue, EXCHANGE, key)));
    passOn(change(held.splice(0)));
  }
  for (const { queue, key } of bindings) await channel.bindQueue(queue, EXCHANGE, key);
  await channel.deleteQueue('chaos.between');
  passOn(change(held.splice(0)));
  await channel.close();
  await connection.close();

  function passOn(messages) {
    for (const { content, fields, properties } of messages)
      for (const { queue, key } of bindings)
        if (key === fields.routingKey) channel.sendToQueue(queue, content, properties);
  }
}

import { setTimeout as sleep } from 'node:timers/promises';

/** What happens to RabbitMQ. */
export const broker = {
  async 'the broker is killed'(fleet, chance) {
    await fleet.broker.server.kill();
    await sleep(chance.between(0, 3_000));
    await fleet.broker.start();
  },

  async 'the broker is restarted'(fleet, chance) {
    await fleet.broker.server.stop();
    await sleep(chance.between(0, 1_000));
    await fleet.broker.start();
  },

  async 'the queue of a service is deleted'(fleet, chance) {
    const bindings = await fleet.broker.bindings('homeostat.events', /^homeostat\./);
    await fleet.broker.deleteQueue(chance.pick(bindings).queue);
  },

  async 'the broker runs out of memory'(fleet, chance) {
    await fleet.broker.ctl('set_vm_memory_high_watermark', '0.00001');
    await sleep(chance.between(1_000, 4_000));
    await fleet.broker.ctl('set_vm_memory_high_watermark', 'absolute', '512MB');
  },

  async 'the policy of the queues changes'(fleet, chance) {
    const policy = JSON.stringify({ 'max-length': 1_000_000, 'delivery-limit': 20 });
    await fleet.broker.ctl('set_policy', 'chaos', '^homeostat\\.', policy, '--apply-to', 'queues');
    await sleep(chance.between(500, 2_000));
    await fleet.broker.ctl('clear_policy', 'chaos');
  },

  async 'the broker closes all connections'(fleet) {
    await fleet.broker.ctl('close_all_connections', 'a test wants it so');
  },
};

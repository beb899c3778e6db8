import { createRequire } from 'node:module';
import { setTimeout as sleep } from 'node:timers/promises';
import { rowsOf } from '../house/database.mjs';

const require = createRequire(import.meta.url);
const QUEUE = 'chaos.subscriber';

/** Keeps the id of every event that was ever committed, by a trigger of the test's own. */
export async function keepEmitted(databaseUrl) {
  await rowsOf(
    databaseUrl,
    `CREATE SCHEMA chaos;
     CREATE TABLE chaos.emitted (id uuid PRIMARY KEY, type text, at timestamptz DEFAULT now());
     CREATE FUNCTION chaos.keep() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
       BEGIN INSERT INTO chaos.emitted (id, type) SELECT id, type FROM fresh; RETURN NULL; END $$;
     CREATE TRIGGER keep AFTER INSERT ON outbox REFERENCING NEW TABLE AS fresh
       FOR EACH STATEMENT EXECUTE FUNCTION chaos.keep();`,
  );
}

/** Somebody outside who wants every event: a durable queue, and a client that comes back whenever it is thrown out. */
export class Subscriber {
  seen = new Map();
  closed = false;

  constructor(brokerUrl) {
    this.brokerUrl = brokerUrl;
  }

  async open() {
    await this.attach();
    this.staying = this.stay();
  }

  /** The events that were committed and never came; waits for them for so long. */
  async missing(databaseUrl, ms) {
    for (const endMs = performance.now() + ms; ; await sleep(100)) {
      const emitted = await rowsOf(databaseUrl, 'SELECT id, type, at FROM chaos.emitted');
      const missing = emitted.filter(({ id }) => !this.seen.has(id));
      if (missing.length === 0 || performance.now() > endMs) return missing;
    }
  }

  async close() {
    this.closed = true;
    await this.connection?.close().catch(() => undefined);
    await this.staying;
  }

  async stay() {
    while (!this.closed) {
      await this.gone;
      for (; !this.closed; await sleep(200)) {
        const attached = await this.attach().then(
          () => true,
          () => false,
        );
        if (attached) break;
      }
    }
  }

  async attach() {
    const { connect } = require('amqplib');
    const connection = await connect(this.brokerUrl, { noDelay: true, heartbeat: 2 });
    connection.on('error', () => undefined);
    this.gone = new Promise((gone) => connection.once('close', gone));
    const channel = await connection.createChannel();
    channel.on('error', () => undefined);
    await channel.assertExchange('homeostat.events', 'topic', { durable: true });
    await channel.assertQueue(QUEUE, { durable: true, arguments: { 'x-queue-type': 'quorum' } });
    await channel.bindQueue(QUEUE, 'homeostat.events', '#');
    await channel.prefetch(500);
    await channel.consume(QUEUE, (message) => {
      if (message === null) return void connection.close().catch(() => undefined);
      const { id } = JSON.parse(message.content);
      this.seen.set(id, (this.seen.get(id) ?? 0) + 1);
      channel.ack(message);
    });
    this.connection = connection;
  }
}

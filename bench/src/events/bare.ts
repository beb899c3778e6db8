import { once } from 'node:events';
import { connect } from 'amqplib';
import { v7 as uuidv7 } from 'uuid';
import { sharedMs } from '../house/orders';

/** Publishes as fast as amqplib can, without a database, and takes confirms as they come; returns the seconds until the last one. */
export async function bare({ brokerUrl, count }: { brokerUrl: string; count: number }): Promise<number> {
  const connection = await connect(brokerUrl, { noDelay: true });
  const channel = await connection.createConfirmChannel();
  const startedMs = sharedMs();
  for (let n = 0; n < count; n += 1) {
    const { id, content } = message();
    const options = { contentType: 'application/cloudevents+json', messageId: id, persistent: true, mandatory: true };
    if (!channel.publish('homeostat.events', 'deployment.ready', content, options)) await once(channel, 'drain');
  }
  await channel.waitForConfirms();
  const seconds = (sharedMs() - startedMs) / 1_000;
  await connection.close();
  return seconds;
}

/** What the outbox would send. */
function message(): { id: string; content: Buffer } {
  const id = uuidv7();
  const envelope = { specversion: '1.0', id, source: '/homeostat/bench', type: 'deployment.ready', subject: id };
  const rest = {
    time: new Date().toISOString(),
    datacontenttype: 'application/json',
    tenantid: 'default',
    version: '1',
  };
  const data = { deployment_id: id, environment_id: id, vm_id: id };
  return { id, content: Buffer.from(JSON.stringify({ ...envelope, ...rest, data })) };
}

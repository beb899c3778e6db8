import { createHash } from 'node:crypto';
import type { ChannelModel, ConfirmChannel, GetMessage, Options } from 'amqplib';
import { type Broker, dial, hangUp } from './broker';
import { received } from './cloud-event';
import { deadQueueOf, queueOf } from './topology';

/** A message that a service gave up. */
export interface DeadLetter {
  /** The event's id or, for what is no event, a digest. */
  readonly id: string;
  readonly service: string;
  /** The event's type, as the message says it. */
  readonly type: string | null;
  readonly reason: 'rejected' | 'delivery_limit' | 'expired' | 'maxlen';
  readonly message: string;
  /** How often it has died. */
  readonly count: number;
  readonly died_at: Date;
  /** The message itself, where it is JSON; else its text. */
  readonly event: unknown;
}

/** Which dead letters are meant: one, or all of the service. */
export interface Chosen {
  readonly service: string;
  readonly id: string | null;
}

/** How many were dealt with, and how many are left. */
export interface Dealt {
  readonly count: number;
  readonly remaining: number;
}

/** How long each question to the broker may take. A queue without a leader never answers. */
const ANSWER_MS = 10_000;
/** One call moves no more. */
const MOST = 1_000;
/** Our own header: deaths before this one. */
const DEATHS = 'homeostat-deaths';

/**
 * The dead letters of services, on a connection of its own for each call. What is looked at stays in its queue and in
 * its order: a crash in between gives it back.
 */
export class DeadLetters {
  constructor(private readonly broker: Broker) {}

  /** The oldest dead letters of a service, and how many there are. */
  async list(service: string, limit: number): Promise<{ items: DeadLetter[]; total: number }> {
    return this.at(service, { items: [], total: 0 }, async (channel, total) => {
      const items: DeadLetter[] = [];
      for (const most = Math.min(limit, sought(total)); items.length < most;) {
        const message = await answered(channel.get(deadQueueOf(service)));
        if (!message) break;
        items.push(letterOf(service, message));
      }
      return { items, total: Math.max(total, items.length) };
    });
  }

  /** Puts dead letters back into their service's queue, which gets them as if for the first time. */
  requeue(chosen: Chosen): Promise<Dealt> {
    return this.move(chosen, async (channel, message) => {
      await answered(sendBack(channel, queueOf(chosen.service), message));
      channel.ack(message);
    });
  }

  /** Forgets dead letters. */
  drop(chosen: Chosen): Promise<Dealt> {
    return this.move(chosen, (channel, message) => channel.ack(message));
  }

  /** Whatever is taken and not acknowledged is given back when the channel closes. */
  private async move(
    { service, id }: Chosen,
    act: (channel: ConfirmChannel, message: GetMessage) => void | Promise<void>,
  ): Promise<Dealt> {
    return this.at(service, { count: 0, remaining: 0 }, async (channel, total) => {
      let count = 0;
      for (let seen = 0; seen < Math.min(sought(total), MOST) && !(id !== null && count > 0); seen += 1) {
        const message = await answered(channel.get(deadQueueOf(service)));
        if (!message) break;
        if (id !== null && idOf(message) !== id) continue;
        await act(channel, message);
        count += 1;
      }
      return { count, remaining: Math.max(0, total - count) };
    });
  }

  /** Works on the dead letters of a service; `none` is the answer where it has never made its queues. */
  private async at<T>(
    service: string,
    none: T,
    work: (channel: ConfirmChannel, total: number) => Promise<T>,
  ): Promise<T> {
    const model = await this.dialed();
    try {
      const channel = await answered(model.createConfirmChannel());
      channel.on('error', () => undefined);
      const total = await answered(deadOf(channel, service));
      if (total === null) return none;
      const result = await work(channel, total);
      await answered(channel.close());
      return result;
    } finally {
      await hangUp(model);
    }
  }

  private async dialed(): Promise<ChannelModel> {
    let last: unknown;
    for (let turn = 0; turn < this.broker.urls.length; turn += 1) {
      try {
        return await dial(this.broker, turn, 'dead letters');
      } catch (error) {
        last = error;
      }
    }
    throw last;
  }
}

/** Throws where the broker does not answer in time. */
async function answered<T>(asked: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    const why = `it did not answer within ${ANSWER_MS} ms, as for a queue without a leader`;
    timer = setTimeout(() => reject(new Error(why)), ANSWER_MS);
  });
  return Promise.race([asked, late]).finally(() => clearTimeout(timer));
}

/** How many to ask for: one at least, since a queue without a leader counts none, but does not answer to this. */
function sought(total: number): number {
  return Math.max(1, total);
}

/** How many there are, null when the service has never made its queues. */
async function deadOf(channel: ConfirmChannel, service: string): Promise<number | null> {
  try {
    return (await channel.checkQueue(deadQueueOf(service))).messageCount;
  } catch (error) {
    if ((error as { code?: number }).code === 404) return null;
    throw error;
  }
}

/** Resolves when the queue has it; throws when there is no such queue. */
async function sendBack(
  channel: ConfirmChannel,
  queue: string,
  { properties, content, fields }: GetMessage,
): Promise<void> {
  const { contentType, messageId, type, timestamp } = properties as Options.Publish;
  const headers = { [DEATHS]: deathsOf(properties.headers) };
  const options = { contentType, messageId, type, timestamp, headers, persistent: true, mandatory: true };
  await new Promise<void>((resolve, reject) => {
    let lost = false;
    const onReturn = (): void => void (lost = true);
    channel.once('return', onReturn);
    const answer = (error: Error | null): void => {
      channel.off('return', onReturn);
      if (!error && !lost) return resolve();
      reject(error ?? new Error(`there is no queue ${queue}: start its service once (${fields.routingKey})`));
    };
    channel.sendToQueue(queue, content, options, answer);
  });
}

function letterOf(service: string, message: GetMessage): DeadLetter {
  const { headers, type } = message.properties;
  const [death] = (headers?.['x-death'] ?? []) as { reason: DeadLetter['reason']; time: { value: number } }[];
  const what = received(message.content);
  const reason = death?.reason ?? 'rejected';
  return {
    id: idOf(message),
    service,
    type: what.is === 'event' ? what.event.type : ((type as string | undefined) ?? null),
    reason,
    message: what.is === 'malformed' ? what.why : sentences[reason],
    count: deathsOf(headers),
    died_at: new Date((death?.time.value ?? 0) * 1000),
    event: what.is === 'event' ? what.event : message.content.toString(),
  };
}

const sentences: Record<DeadLetter['reason'], string> = {
  rejected: 'its handler failed while too many others waited for another try: see the log of the service',
  delivery_limit: 'its handler failed again and again, or processes died over it: see the log of the service',
  expired: 'it was too old for a policy of the broker',
  maxlen: 'its queue was longer than a policy of the broker allows',
};

function idOf({ properties, content }: GetMessage): string {
  const { messageId } = properties as { messageId?: string };
  return messageId ?? createHash('sha256').update(content).digest('hex').slice(0, 32);
}

function deathsOf(headers: Record<string, unknown> | undefined): number {
  return Number(headers?.[DEATHS] ?? 0) + 1;
}

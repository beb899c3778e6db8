import { setTimeout as pause } from 'node:timers/promises';
import type { HouseEvent } from '@homeostat/shared';
import type { MessageHandler } from '@nestjs/microservices';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Log } from '../logs';
import { traceFields } from '../telemetry/traceparent';
import { hangUp } from './broker';
import { received } from './cloud-event';
import { handle } from './handle';
import { taken } from './metrics';
import { declareQueues, queueOf } from './topology';

/** Messages that this process holds at once. */
const PREFETCH = 100;
/** Of those, how many may wait for another try: more would keep the queue from the others. */
const MOST_WAITING = PREFETCH / 2;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** How often it is made sure that queue, bindings and consumer are still there. */
const WATCH_MS = 10_000;
/** How soon it attaches again: after it was cut off; and as long as the broker says the same again. */
const REATTACH_MS = 100;
const STILL_NOT_MS = 5_000;
/** A queue without a leader lets itself be declared, but answers to nothing else. */
const ATTACH_MS = 10_000;
/** What handlers get to finish at the end. */
const GRACE_MS = 300;

/**
 * Takes a service's events from its queue and calls their handlers; attaches itself again whenever it was cut off. A
 * message is acknowledged when all handlers are done with it. One whose handler fails waits a little and goes back to
 * the queue, up to the delivery limit; one that is no event is a dead letter at once.
 */
export class Consumer {
  private attached: { readonly channel: Channel; readonly tag: string } | null = null;
  private why: string | null = 'it is not attached to its queue yet';
  private watch: NodeJS.Timeout | null = null;
  private closed = false;
  private readonly waiting = new Map<NodeJS.Timeout, () => void>();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly service: string,
    private readonly handlers: ReadonlyMap<string, readonly MessageHandler[]>,
    private readonly log: Log,
  ) {}

  /** Why nothing is taken from the queue, or null while all is well. */
  get fault(): string | null {
    return this.why;
  }

  /** Attaches to the queue, and again after it was cut off, for as long as the connection lasts. */
  async attach(model: ChannelModel): Promise<void> {
    const ended = new AbortController();
    model.once('close', () => ended.abort());
    while (!ended.signal.aborted && !this.closed) {
      const why = await this.once(model);
      this.detached();
      if (ended.signal.aborted || this.closed) return;
      const news = this.why !== why;
      if (news) this.log.warn({ service: this.service }, `cut off from ${queueOf(this.service)}: ${why}`);
      this.why = why;
      await pause(news ? REATTACH_MS : STILL_NOT_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
  }

  /** Takes no more, gives handlers a moment to finish, and leaves the rest in the queue. */
  async close(): Promise<void> {
    this.closed = true;
    const { attached } = this;
    if (!attached) return;
    void attached.channel.cancel(attached.tag).catch(() => undefined);
    for (const [timer, giveBack] of this.waiting) {
      clearTimeout(timer);
      giveBack();
    }
    const late = new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref());
    await Promise.race([Promise.allSettled(this.running), late]);
    this.detached();
  }

  /** Attaches once and waits until that has ended; returns why. */
  private async once(model: ChannelModel): Promise<string> {
    let why = 'the channel was closed';
    const late = setTimeout(() => {
      const queue = queueOf(this.service);
      this.why =
        `${queue} does not answer, as a quorum queue without a leader: bring back the broker’s nodes or, if they are all ` +
        `there, run: rabbitmqctl delete_queue ${queue}; it is made anew within seconds`;
      void hangUp(model, 0);
    }, ATTACH_MS);
    try {
      const channel = await model.createChannel();
      const end = new Promise<void>((resolve) => channel.once('close', () => resolve()));
      channel.on('error', (error) => (why = error.message));
      await declareQueues(channel, this.service, this.handlers.keys());
      await channel.prefetch(PREFETCH);
      const cancelled = (): void => {
        why = 'the broker took the consumer away';
        void channel.close().catch(() => undefined);
      };
      const take = (message: ConsumeMessage | null): void => (message ? this.take(channel, message) : cancelled());
      const { consumerTag: tag } = await channel.consume(queueOf(this.service), take);
      if (this.why !== null) this.log.info({ service: this.service }, `attached to ${queueOf(this.service)}`);
      [this.attached, this.why] = [{ channel, tag }, null];
      clearTimeout(late);
      this.watch = this.watchOver(model, channel);
      await end;
      return why;
    } catch (error) {
      return (error as Error).message;
    } finally {
      clearTimeout(late);
    }
  }

  private detached(): void {
    this.attached = null;
    if (this.watch) clearInterval(this.watch);
    for (const timer of this.waiting.keys()) clearTimeout(timer);
    this.waiting.clear();
  }

  /** Declares everything again now and then: what somebody deleted comes back, and what is gone closes the channel. */
  private watchOver(model: ChannelModel, channel: Channel): NodeJS.Timeout {
    let asked = false;
    const look = async (): Promise<void> => {
      if (asked) return hangUp(model, 0);
      asked = true;
      await declareQueues(channel, this.service, this.handlers.keys()).catch(() => undefined);
      asked = false;
    };
    return setInterval(() => void look(), WATCH_MS).unref();
  }

  private take(channel: Channel, message: ConsumeMessage): void {
    const done = this.handled(channel, message).finally(() => this.running.delete(done));
    this.running.add(done);
  }

  private async handled(channel: Channel, message: ConsumeMessage): Promise<void> {
    const what = received(message.content);
    if (what.is === 'malformed') {
      const { messageId } = message.properties;
      this.log.error({ service: this.service, event_id: messageId }, `a message is a dead letter: ${what.why}`);
      return this.settle('malformed', () => channel.reject(message, false));
    }
    if (what.is === 'unknown') return this.settle('unknown', () => channel.ack(message));
    const { event } = what;
    const handlers = this.handlers.get(event.type);
    if (!handlers) return this.settle('unwanted', () => channel.ack(message));
    try {
      await Promise.all(handlers.map((handler) => handle(event, handler)));
      this.settle('handled', () => channel.ack(message));
    } catch (error) {
      this.failed(channel, message, event, error);
    }
  }

  private failed(channel: Channel, message: ConsumeMessage, event: HouseEvent, error: unknown): void {
    const { id, type, traceparent } = event;
    const tries = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
    const subject = { service: this.service, event_id: id, tries: tries + 1, ...traceFields(traceparent), err: error };
    if (this.waiting.size >= MOST_WAITING) {
      this.log.error(subject, `${type} is a dead letter: its handler failed, and too many others wait for another try`);
      return this.settle('dead', () => channel.reject(message, false));
    }
    this.log.warn(subject, `the handler of ${type} failed`);
    const giveBack = (): void => {
      this.waiting.delete(timer);
      this.settle('failed', () => channel.nack(message, false, true));
    };
    const timer = setTimeout(giveBack, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries));
    this.waiting.set(timer, giveBack);
  }

  /** On a channel that is gone there is nothing to settle: the message comes again. */
  private settle(result: string, tell: () => void): void {
    taken.inc({ service: this.service, result });
    try {
      tell();
    } catch (error) {
      this.log.debug({ service: this.service, err: error }, 'a message could not be settled; it comes again');
    }
  }
}

import { setTimeout as pause } from 'node:timers/promises';
import type { MessageHandler } from '@nestjs/microservices';
import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib';
import type { Log } from '../logs';
import { hangUp } from './broker';
import { Deliveries, PREFETCH } from './deliveries';
import { declareQueues, queueOf } from './topology';

/** How often it is made sure that queue, bindings and consumer are still there. */
const WATCH_MS = 10_000;
/** How soon it attaches again: after it was cut off; and as long as the broker says the same again. */
const REATTACH_MS = 100;
const STILL_NOT_MS = 5_000;
/** A queue without a leader lets itself be declared, but answers to nothing else. */
const ATTACH_MS = 10_000;

interface Attached {
  readonly channel: Channel;
  readonly tag: string;
  readonly deliveries: Deliveries;
}

/** Takes a service's events from its queue; attaches itself again whenever it was cut off. */
export class Consumer {
  private attached: Attached | null = null;
  private why: string | null = 'it is not attached to its queue yet';
  private watch: NodeJS.Timeout | null = null;
  private closed = false;

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
    await attached.deliveries.end();
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
      const deliveries = new Deliveries(channel, this.service, this.handlers, this.log);
      const take = (message: ConsumeMessage | null): void => (message ? deliveries.take(message) : cancelled());
      const { consumerTag: tag } = await channel.consume(queueOf(this.service), take);
      if (this.why !== null) this.log.info({ service: this.service }, `attached to ${queueOf(this.service)}`);
      [this.attached, this.why] = [{ channel, tag, deliveries }, null];
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
    this.attached?.deliveries.forget();
    this.attached = null;
    if (this.watch) clearInterval(this.watch);
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
}

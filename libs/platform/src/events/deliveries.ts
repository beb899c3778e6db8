import type { HouseEvent } from '@homeostat/shared';
import type { MessageHandler } from '@nestjs/microservices';
import type { Channel, ConsumeMessage } from 'amqplib';
import type { Log } from '../logs';
import { traceFields } from '../telemetry/traceparent';
import { Acknowledgements } from './acknowledgements';
import { received } from './cloud-event';
import { handle } from './handle';
import { taken } from './metrics';

/** Messages that a process holds at once. */
export const PREFETCH = 100;
/** Of those, how many may wait for another try: more would keep the queue from the others. */
const MOST_WAITING = PREFETCH / 2;
const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 1_000;
/** What handlers get to finish at the end. */
const GRACE_MS = 300;

/**
 * Calls the handlers of the events that come on one channel. A message is acknowledged when all handlers are done with it.
 * One whose handler fails waits a little and goes back to the queue, up to the delivery limit; one that is no event is a
 * dead letter at once.
 */
export class Deliveries {
  private readonly acks: Acknowledgements;
  private readonly waiting = new Map<NodeJS.Timeout, () => void>();
  private readonly running = new Set<Promise<void>>();

  constructor(
    private readonly channel: Channel,
    private readonly service: string,
    private readonly handlers: ReadonlyMap<string, readonly MessageHandler[]>,
    private readonly log: Log,
  ) {
    this.acks = new Acknowledgements(channel, (error) => this.unsettled(error));
  }

  take(message: ConsumeMessage): void {
    this.acks.opened(message);
    const done = this.handled(message).finally(() => this.running.delete(done));
    this.running.add(done);
  }

  /** Gives handlers a moment to finish, and what waits for another try back at once. */
  async end(): Promise<void> {
    for (const [timer, giveBack] of this.waiting) {
      clearTimeout(timer);
      giveBack();
    }
    const late = new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref());
    await Promise.race([Promise.allSettled(this.running), late]);
    this.acks.flush();
  }

  /** The channel is gone: what waited for another try comes again. */
  forget(): void {
    for (const timer of this.waiting.keys()) clearTimeout(timer);
    this.waiting.clear();
  }

  private async handled(message: ConsumeMessage): Promise<void> {
    const what = received(message.content);
    if (what.is === 'malformed') {
      const { messageId } = message.properties;
      this.log.error({ service: this.service, event_id: messageId }, `a message is a dead letter: ${what.why}`);
      return this.reject('malformed', message);
    }
    if (what.is === 'unknown') return this.acknowledge('unknown', message);
    const { event } = what;
    const handlers = this.handlers.get(event.type);
    if (!handlers) return this.acknowledge('unwanted', message);
    try {
      await Promise.all(handlers.map((handler) => handle(event, handler)));
    } catch (error) {
      return this.failed(message, event, error);
    }
    this.acknowledge('handled', message);
  }

  private failed(message: ConsumeMessage, event: HouseEvent, error: unknown): void {
    const { id, type, traceparent } = event;
    const tries = Number(message.properties.headers?.['x-delivery-count'] ?? 0);
    const subject = { service: this.service, event_id: id, tries: tries + 1, ...traceFields(traceparent), err: error };
    if (this.waiting.size >= MOST_WAITING) {
      this.log.error(subject, `${type} is a dead letter: its handler failed, and too many others wait for another try`);
      return this.reject('dead', message);
    }
    this.log.warn(subject, `the handler of ${type} failed`);
    const giveBack = (): void => {
      this.waiting.delete(timer);
      this.settle('failed', message, () => this.channel.nack(message, false, true));
    };
    const timer = setTimeout(giveBack, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** tries));
    this.waiting.set(timer, giveBack);
  }

  private acknowledge(result: string, message: ConsumeMessage): void {
    taken.inc({ service: this.service, result });
    this.acks.acknowledge(message);
  }

  private reject(result: string, message: ConsumeMessage): void {
    this.settle(result, message, () => this.channel.reject(message, false));
  }

  private settle(result: string, message: ConsumeMessage, tell: () => void): void {
    taken.inc({ service: this.service, result });
    this.acks.settled(message);
    try {
      tell();
    } catch (error) {
      this.unsettled(error);
    }
  }

  /** On a channel that is gone there is nothing to settle. */
  private unsettled(error: unknown): void {
    this.log.debug({ service: this.service, err: error }, 'a message could not be settled; it comes again');
  }
}

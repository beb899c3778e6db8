import { setTimeout as pause } from 'node:timers/promises';
import type { HouseEvent } from '@homeostat/shared';
import type { ChannelModel, ConfirmChannel } from 'amqplib';
import type { Log } from '../logs';
import { hangUp } from './broker';
import { CONTENT_TYPE } from './cloud-event';
import { confirmSeconds, published, unrouted } from './metrics';
import { EVENTS, declareExchange } from './topology';

/** How long a batch may wait for its confirmations. */
const CONFIRM_MS = 5_000;
const REOPEN_MS = 500;
/** A broker that answers nothing but heartbeats is left for another connection. */
const ANSWER_MS = 10_000;
/** AMQP's PRECONDITION_FAILED: the broker will not have one of these messages, for its size. */
const REFUSED = 406;

/** Sends events to the exchange and waits for the broker's word that it has them. */
export class Publisher {
  private model: ChannelModel | null = null;
  private channel: ConfirmChannel | null = null;
  private why: string | null = 'the channel for events is not open yet';
  private blocked: string | null = null;
  private closedFor: number | null = null;
  private readonly waiting = new Set<() => void>();

  constructor(
    /** Called whenever events can be sent again. */
    private readonly back: () => void,
    private readonly log: Log,
  ) {}

  /** Why nothing can be sent, or null while events can be. */
  get fault(): string | null {
    return this.blocked ?? this.why;
  }

  /** Keeps a channel open for as long as the connection lasts. */
  async attach(model: ChannelModel): Promise<void> {
    const ended = new AbortController();
    model.once('close', () => ended.abort());
    this.model = model;
    this.blocked = null;
    model.on('blocked', (reason) => {
      this.blocked = `the broker takes no messages for now: ${reason}`;
      this.log.warn(`${this.blocked}; events wait in the outbox`);
    });
    model.on('unblocked', () => {
      this.blocked = null;
      this.back();
    });
    while (!ended.signal.aborted) {
      const why = await this.once(model);
      if (ended.signal.aborted) break;
      if (this.why !== why) this.log.warn(`sending events was interrupted: ${why}`);
      this.why = why;
      if (this.closedFor !== REFUSED)
        await pause(REOPEN_MS, undefined, { signal: ended.signal }).catch(() => undefined);
    }
    // The next connection may be there before this one is over.
    if (this.model !== model) return;
    [this.channel, this.blocked] = [null, null];
    this.why ??= 'the connection is gone';
  }

  /**
   * Returns the ids of the events that arrived, once all have been answered for, or after five seconds. An event that
   * the broker refuses makes it close the channel on all the others: they are sent again in halves without it.
   */
  async publish(events: readonly HouseEvent[]): Promise<readonly string[]> {
    this.closedFor = null;
    const arrived = await this.attempt(events);
    if (this.closedFor !== REFUSED) return arrived;
    const known = new Set(arrived);
    const left = events.filter(({ id }) => !known.has(id));
    if (left.length === 0) return arrived;
    if (left.length === 1) {
      this.log.error({ event_id: left[0]!.id }, `${left[0]!.type} is refused by the broker and stays in the outbox`);
      return arrived;
    }
    const middle = Math.ceil(left.length / 2);
    const first = await this.publish(left.slice(0, middle));
    return [...arrived, ...first, ...(await this.publish(left.slice(middle)))];
  }

  /** Opens the channel and waits for its end; returns what ended it. */
  private async once(model: ChannelModel): Promise<string> {
    let why = 'the channel was closed';
    const answered = this.orHangUp(model, 'open a channel');
    try {
      const channel = await model.createConfirmChannel();
      const end = new Promise<void>((resolve) => channel.once('close', () => resolve()));
      channel.on('error', (error: Error & { code?: number }) => {
        // Only a message is refused: an exchange that cannot be declared will not be a moment later either.
        this.closedFor = this.channel === channel ? (error.code ?? null) : null;
        why = error.message;
      });
      channel.once('close', () => (this.channel = null));
      channel.on('return', () => unrouted.inc());
      await declareExchange(channel);
      answered();
      [this.channel, this.why] = [channel, null];
      for (const go of this.waiting) go();
      this.back();
      await end;
      return why;
    } catch (error) {
      return (error as Error).message;
    } finally {
      answered();
    }
  }

  /** Gives this connection up unless the returned function is called in time; another one is made. */
  private orHangUp(model: ChannelModel, what: string): () => void {
    const late = setTimeout(() => {
      const why = `the broker did not ${what} within ${ANSWER_MS} ms`;
      if (this.model === model) this.why = why;
      this.log.warn(`${why}; another connection is made for sending`);
      void hangUp(model, 0);
    }, ANSWER_MS);
    return () => clearTimeout(late);
  }

  private async attempt(events: readonly HouseEvent[]): Promise<string[]> {
    if (this.blocked !== null) throw new Error(this.blocked);
    const channel = this.channel ?? (await this.reopened());
    if (!channel) throw new Error(this.why ?? 'the channel for events is closed');
    const arrived: string[] = [];
    const since = performance.now();
    const answered = events.map((event) =>
      sent(channel, event).then(
        () => void arrived.push(event.id),
        (error: Error) => this.log.debug({ event_id: event.id, err: error }, 'an event was not confirmed'),
      ),
    );
    if (!(await within(CONFIRM_MS, Promise.all(answered)))) this.silent(channel);
    confirmSeconds.observe((performance.now() - since) / 1000);
    published.inc({ result: 'arrived' }, arrived.length);
    published.inc({ result: 'refused' }, events.length - arrived.length);
    return [...arrived];
  }

  /** A channel that was closed because of a message comes back at once. */
  private async reopened(): Promise<ConfirmChannel | null> {
    let go = (): void => {};
    await within(CONFIRM_MS, new Promise<void>((resolve) => this.waiting.add((go = resolve))));
    this.waiting.delete(go);
    return this.channel;
  }

  /** Nobody knows what became of the rest; with another channel it is sent once more. */
  private silent(channel: ConfirmChannel): void {
    if (this.blocked !== null) return;
    this.why = `the broker did not confirm events within ${CONFIRM_MS} ms`;
    this.channel = null;
    const answered = this.orHangUp(this.model!, 'close a channel');
    // The end of the connection is the channel's, too, but no answer to this.
    channel.once('close', answered);
    void channel.close().catch(answered);
  }
}

function sent(channel: ConfirmChannel, event: HouseEvent): Promise<void> {
  const properties = {
    contentType: CONTENT_TYPE,
    messageId: event.id,
    type: event.type,
    timestamp: Math.floor(Date.parse(event.time) / 1000),
    persistent: true,
    mandatory: true,
  };
  return new Promise((resolve, reject) => {
    const answer = (error: Error | null): void => (error ? reject(error) : resolve());
    channel.publish(EVENTS, event.type, Buffer.from(JSON.stringify(event)), properties, answer);
  });
}

/** Whether it came to an end within the time. */
async function within(ms: number, what: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), ms)));
  return Promise.race([what.then(() => true), late]).finally(() => clearTimeout(timer));
}

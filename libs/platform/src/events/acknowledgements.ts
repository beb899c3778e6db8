import type { Channel, ConsumeMessage } from 'amqplib';

/**
 * Tells a channel what is done, in as few words as there are runs of messages: the broker takes one acknowledgement for all
 * messages up to one (AMQP 0-9-1, basic.ack, `multiple`), and replicates it as one. What came before and is not done yet ends a run.
 */
export class Acknowledgements {
  /** By delivery tag, which rises. */
  private readonly open = new Map<number, ConsumeMessage>();
  private readonly done = new Set<number>();
  private soon: NodeJS.Immediate | null = null;

  constructor(
    private readonly channel: Pick<Channel, 'ack'>,
    /** Told when the channel is gone: there is nothing to tell it then, and the messages come again. */
    private readonly lost: (error: unknown) => void,
  ) {}

  /** A message has come, and will be either done or settled otherwise. */
  opened(message: ConsumeMessage): void {
    this.open.set(message.fields.deliveryTag, message);
  }

  /** A message is acknowledged at the end of this turn of the event loop. */
  acknowledge(message: ConsumeMessage): void {
    this.done.add(message.fields.deliveryTag);
    this.soon ??= setImmediate(() => this.flush());
  }

  /** The broker has been told something else of it. */
  settled(message: ConsumeMessage): void {
    this.open.delete(message.fields.deliveryTag);
  }

  /** Tells at once what is left to tell. */
  flush(): void {
    if (this.soon) clearImmediate(this.soon);
    this.soon = null;
    try {
      this.tell();
    } catch (error) {
      this.lost(error);
    }
  }

  private tell(): void {
    let last: ConsumeMessage | null = null;
    for (const [tag, message] of this.open) {
      if (!this.done.has(tag)) break;
      last = this.taken(tag, message);
    }
    if (last) this.channel.ack(last, true);
    for (const tag of [...this.done]) this.channel.ack(this.taken(tag, this.open.get(tag)!), false);
  }

  private taken(tag: number, message: ConsumeMessage): ConsumeMessage {
    this.open.delete(tag);
    this.done.delete(tag);
    return message;
  }
}

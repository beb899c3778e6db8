import type { HouseEvent } from '@homeostat/shared';
import { type MessageHandler, Server } from '@nestjs/microservices';
import type { Log } from '../logs';
import type { Broker } from './broker';
import { Consumer } from './consumer';
import type { HandlerExtras } from './handlers';
import { Link } from './link';
import { Publisher } from './publisher';
import type { Transport } from './transport';

/**
 * Carries events over RabbitMQ (decision 11). Each service of the process takes them from its own queue, which it shares
 * with its other replicas. The broker may be away at any time, from the start on. Sending has a connection of its own:
 * one that the broker blocks for its memory's sake would not let acknowledgements through either. So has each service:
 * a queue that does not answer costs its connection, and no other service's.
 */
export class RabbitmqTransport extends Server implements Transport {
  private readonly byService = new Map<string, Map<string, MessageHandler[]>>();
  private readonly runs: (() => void)[] = [];
  private readonly publisher: Publisher;
  private readonly outbound: Link;
  private readonly receivers: { readonly consumer: Consumer; readonly link: Link }[] = [];

  constructor(
    private readonly broker: Broker,
    private readonly services: readonly string[],
    private readonly log: Log,
  ) {
    super();
    this.publisher = new Publisher(() => this.runs.forEach((run) => run()), log);
    const name = `${services.join(', ')}: sends`;
    this.outbound = new Link(broker, name, (model) => void this.publisher.attach(model), log);
  }

  /** Nest's own way chains the handlers of a type, whosever they are; here each queue has those of its service. */
  override addHandler(type: string, handler: MessageHandler, _isEvent?: boolean, extras: HandlerExtras = {}): void {
    const { service = this.services[0]! } = extras;
    const handlers = this.byService.get(service) ?? new Map<string, MessageHandler[]>();
    this.byService.set(service, handlers.set(type, [...(handlers.get(type) ?? []), handler]));
  }

  /** Begins to connect, and does not wait for it. */
  listen(callback: () => void): void {
    for (const [service, handlers] of this.byService) {
      const consumer = new Consumer(service, handlers, this.log);
      const link = new Link(this.broker, `${service}: receives`, (model) => void consumer.attach(model), this.log);
      this.receivers.push({ consumer, link });
    }
    for (const link of [this.outbound, ...this.receivers.map((receiver) => receiver.link)]) link.start();
    callback();
  }

  async close(): Promise<void> {
    await Promise.all(this.receivers.map(({ consumer, link }) => consumer.close().then(() => link.close())));
  }

  async disconnect(): Promise<void> {
    await this.outbound.close();
  }

  on(): never {
    throw new Error('the state of the connections is in `fault`');
  }

  unwrap(): never {
    throw new Error('connections come and go: there is none to hand out');
  }

  get away(): string | null {
    return this.outbound.fault ?? this.publisher.fault;
  }

  /** Why events are not sent or not received, in a sentence; null when all is well. */
  get fault(): string | null {
    const faults = this.receivers.map(({ consumer, link }) => link.fault ?? consumer.fault);
    return this.away ?? ([...new Set(faults)].filter((fault) => fault !== null).join('; ') || null);
  }

  onceBack(run: () => void): void {
    this.runs.push(run);
  }

  publish(events: readonly HouseEvent[]): Promise<readonly string[]> {
    return this.publisher.publish(events);
  }
}

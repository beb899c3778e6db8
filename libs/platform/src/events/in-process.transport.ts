import type { HouseEvent } from '@homeostat/shared';
import { Server } from '@nestjs/microservices';
import type { Log } from '../logs';
import { traceFields } from '../telemetry/traceparent';
import { handle } from './handle';
import type { Transport } from './transport';

/** Carries events to the handlers of the same process: the all-in-one's transport, and a service's without a broker. */
export class InProcessTransport extends Server implements Transport {
  readonly away = null;

  constructor(private readonly log: Log) {
    super();
  }

  listen(callback: () => void): void {
    callback();
  }

  close(): void {}

  onceBack(): void {}

  async disconnect(): Promise<void> {}

  on(): never {
    throw new Error('the in-process transport has no connection to watch');
  }

  unwrap(): never {
    throw new Error('the in-process transport wraps nothing');
  }

  /** What a handler fails to take comes again later, without holding up the others. */
  async publish(events: readonly HouseEvent[]): Promise<readonly string[]> {
    const arrived = await Promise.all(events.map((event) => this.deliver(event)));
    return events.filter((_event, index) => arrived[index]).map(({ id }) => id);
  }

  private async deliver(event: HouseEvent): Promise<boolean> {
    const handler = this.messageHandlers.get(event.type);
    if (!handler) return true;
    try {
      await handle(event, handler);
      return true;
    } catch (error) {
      const trace = traceFields(event.traceparent);
      this.log.warn({ err: error, event_id: event.id, ...trace }, `the handler of ${event.type} failed`);
      return false;
    }
  }
}

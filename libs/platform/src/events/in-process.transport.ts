import type { HouseEvent } from '@homeostat/shared';
import { BaseRpcContext, Server } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import type { Transport } from './transport';

/** Carries events to the handlers of the same process: the all-in-one's transport, and a service's without a broker. */
export class InProcessTransport extends Server implements Transport {
  listen(callback: () => void): void {
    callback();
  }

  close(): void {}

  on(): never {
    throw new Error('the in-process transport has no connection to watch');
  }

  unwrap(): never {
    throw new Error('the in-process transport wraps nothing');
  }

  async publish(events: readonly HouseEvent[]): Promise<readonly string[]> {
    const wanted = events.filter(({ type }) => this.messageHandlers.has(type));
    await Promise.all(wanted.map((event) => this.deliver(event)));
    return events.map(({ id }) => id);
  }

  /** Straight to the handler: Nest's own way parses the pattern anew for each event, which took a tenth of the time. */
  private async deliver(event: HouseEvent): Promise<void> {
    const handled: unknown = await this.messageHandlers.get(event.type)!(event, new BaseRpcContext([event]));
    if (isObservable(handled)) await lastValueFrom(handled, { defaultValue: undefined });
  }
}

import type { HouseEvent } from '@homeostat/shared';
import { BaseRpcContext, type MessageHandler } from '@nestjs/microservices';
import { isObservable, lastValueFrom } from 'rxjs';
import { inTraceOf } from '../telemetry/handled';

/**
 * Calls a handler, and those of other controllers that Nest has chained behind it, with an event, in the event's trace;
 * resolves when they are all done, and throws what the first of them threw. Straight to the handler: Nest's own way
 * parses the pattern anew for each event, which took a tenth of the time.
 */
export function handle(event: HouseEvent, handler: MessageHandler): Promise<void> {
  return inTraceOf(event, async () => {
    const handled: unknown = await handler(event, new BaseRpcContext([event]));
    if (isObservable(handled)) await lastValueFrom(handled, { defaultValue: undefined });
  });
}

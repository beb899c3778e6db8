import type { HouseEvent } from '@homeostat/shared';
import { SpanKind, context, trace } from '@opentelemetry/api';
import { begin, ended } from './spans';
import { contextIn, isSampled } from './traceparent';

/**
 * Runs an event's handler as a span of the trace that the event came out of, where that is recorded. Where it is not,
 * handlers go without: they only nudge, and carrying a context along costs a twelfth of the process' time (decision 13).
 */
export function inTraceOf<T>(event: HouseEvent, run: () => Promise<T>): Promise<T> {
  const { traceparent } = event;
  if (!traceparent || !isSampled(traceparent)) return run();
  const from = contextIn(traceparent);
  const attributes = { 'messaging.message.id': event.id, 'homeostat.subject': event.subject };
  const span = begin(`handle ${event.type}`, { kind: SpanKind.CONSUMER, attributes }, from);
  return context.with(trace.setSpan(from, span), () => ended(span, run));
}

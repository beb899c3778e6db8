import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  TraceFlags,
  context,
  isSpanContextValid,
  trace,
} from '@opentelemetry/api';

/** The W3C traceparent of a span; null where there is none, or tracing is not set up. */
export function traceparentOf(span: Span | undefined): string | null {
  const of = span?.spanContext();
  if (!of || !isSpanContextValid(of)) return null;
  return `00-${of.traceId}-${of.spanId}-${of.traceFlags & TraceFlags.SAMPLED ? '01' : '00'}`;
}

/** The traceparent of what is being done at this moment; null outside of every trace. */
export function activeTraceparent(): string | null {
  return traceparentOf(trace.getActiveSpan());
}

/** The context in which to go on with a trace that began elsewhere; the root for null, and for what is no traceparent. */
export function contextIn(traceparent: string | null | undefined): Context {
  const [, version, traceId, spanId, flags, more] = traceparentForm.exec(traceparent ?? '') ?? [];
  if (!traceId || !spanId || !flags || version === 'ff' || (version === '00' && more)) return ROOT_CONTEXT;
  const remote = { traceId, spanId, traceFlags: parseInt(flags, 16), isRemote: true };
  return isSpanContextValid(remote) ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT;
}

/** Versions to come may have more to say (W3C Trace Context, section 3.2). */
const traceparentForm = /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** Whether a trace is recorded, so that spans are worth their while. */
export function isSampled(traceparent: string): boolean {
  return (parseInt(traceparent.slice(-2), 16) & TraceFlags.SAMPLED) !== 0;
}

/** The ids of a trace as log lines have them; nothing for null. */
export function traceFields(traceparent: string | null | undefined): { trace_id?: string; span_id?: string } {
  if (!traceparent) return {};
  const [, traceId, spanId] = traceparent.split('-');
  return { trace_id: traceId!, span_id: spanId! };
}

/** Runs `work` in no trace: for loops and timers that outlive the request which happened to wake them. */
export function apart<T>(work: () => T): T {
  return context.with(ROOT_CONTEXT, work);
}

import { randomFillSync } from 'node:crypto';
import {
  type Context,
  ProxyTracerProvider,
  type Span,
  type SpanOptions,
  SpanStatusCode,
  TraceFlags,
  type Tracer,
  context,
  trace,
} from '@opentelemetry/api';

/** What records spans; undefined where nothing does. */
function tracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider ? provider.getDelegateTracer('homeostat') : undefined;
}

/** Begins a span in `from`. Where nothing records spans it goes on with the trace of `from`, or has at least an id. */
export function begin(name: string, options: SpanOptions, from: Context): Span {
  const recorded = tracer()?.startSpan(name, options, from) ?? trace.getSpan(from);
  if (recorded) return recorded;
  const [traceId, spanId] = ids();
  return trace.wrapSpanContext({ traceId, spanId, traceFlags: TraceFlags.NONE });
}

/** The traceparent of a new trace, if nothing records spans: all that is to be had of it then. */
export function beginUnrecorded(): string | null {
  if (tracer()) return null;
  const [traceId, spanId] = ids();
  return `00-${traceId}-${spanId}-00`;
}

/** Runs `work` as a part of what is being done, with a span of its own where that is recorded. */
export function inSpan<T>(name: string, work: () => Promise<T>): Promise<T> {
  if (!trace.getActiveSpan()?.isRecording()) return work();
  const span = begin(name, {}, context.active());
  return context.with(trace.setSpan(context.active(), span), () => ended(span, work));
}

/** Runs `work`, then ends `span` with what became of it. */
export async function ended<T>(span: Span, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
    throw error;
  } finally {
    span.end();
  }
}

/** Random bytes are cheaper by the thousand. */
const random = Buffer.alloc(24 * 200);
let used = random.length;

function ids(): [traceId: string, spanId: string] {
  if (used === random.length) randomFillSync(random);
  used = used === random.length ? 0 : used;
  const hex = random.toString('hex', used, used + 24);
  used += 24;
  return [hex.slice(0, 32), hex.slice(32)];
}

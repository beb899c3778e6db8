import type { LookResult } from '@homeostat/reconcile';
import type { HouseEvent, Kind } from '@homeostat/shared';
import { type Span, SpanStatusCode } from '@opentelemetry/api';
import { begin, beginUnrecorded } from './spans';
import { activeTraceparent, contextIn, isSampled, traceparentOf } from './traceparent';

interface Look {
  readonly kind: Kind;
  readonly result: LookResult;
}

/**
 * The traces of what one transaction does. A request's transaction is in its request's trace. A pass looks at many
 * resources at once, and each look goes on with the trace in which it was wished for: as a span of its own, when that
 * trace is recorded. A look that nobody's trace has wished for begins one as soon as it changes something.
 */
export class Trail {
  private readonly looks = new Map<string, Look>();
  /** Of the resources looked at, and of everything that events name together with them. */
  private readonly known = new Map<string, string | null>();
  private readonly spans: { readonly span: Span; readonly look: Look }[] = [];
  private readonly active = activeTraceparent();

  looked(kind: Kind, result: LookResult): void {
    const { key, traceparent } = result.lease;
    this.looks.set(key, { kind, result });
    if (traceparent !== null && isSampled(traceparent)) this.begun(key);
  }

  /** The trace that an event belongs to. What it names besides, as a build of a deployment, belongs to it from now on. */
  ofEvent({ subject, data }: HouseEvent): string | null {
    if (this.looks.size === 0) return this.active;
    const ids = Object.values<unknown>(data).filter((value) => typeof value === 'string');
    const key = this.looks.has(subject) ? subject : ids.find((id) => this.looks.has(id));
    const traceparent = this.of(key ?? ids.find((id) => this.known.has(id)) ?? subject);
    for (const id of ids) if (!this.known.has(id)) this.known.set(id, traceparent);
    return traceparent;
  }

  /** The trace that a change of a resource belongs to, or a wish to look at it; null where it could be several. */
  of(key: string): string | null {
    if (this.looks.size === 0) return this.active;
    const known = this.known.get(key);
    if (known !== undefined) return known;
    if (this.looks.has(key)) return this.begun(key);
    const [only] = this.looks.keys();
    return this.looks.size === 1 ? this.of(only!) : null;
  }

  /** Ends the spans of the looks: all is committed, or nothing because of `error`. */
  end(error?: unknown): void {
    for (const { span, look } of this.spans.splice(0)) {
      const { outcome, step, because } = look.result;
      span.setAttributes({ 'homeostat.outcome': outcome, 'homeostat.step': step ?? '', 'homeostat.because': because });
      if (error !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: String(error) });
      else if (outcome === 'failed') span.setStatus({ code: SpanStatusCode.ERROR, message: because });
      span.end();
    }
  }

  /** Begins the look's span, back at its claim; a trace that is not recorded is handed on as it came. */
  private begun(key: string): string | null {
    const look = this.looks.get(key)!;
    const { traceparent: cause } = look.result.lease;
    const handedOn = cause === null ? beginUnrecorded() : isSampled(cause) ? null : cause;
    if (handedOn !== null) return this.keep(key, handedOn);
    const startTime = Date.now() - look.result.tookMs;
    const attributes = { 'homeostat.kind': look.kind, 'homeostat.key': key };
    const span = begin(`look ${look.kind}`, { startTime, attributes }, contextIn(cause));
    if (span.isRecording()) this.spans.push({ span, look });
    return this.keep(key, traceparentOf(span));
  }

  private keep(key: string, traceparent: string | null): string | null {
    this.known.set(key, traceparent);
    return traceparent;
  }
}

import { type Span, SpanKind, SpanStatusCode, context, trace } from '@opentelemetry/api';
import type { Request, RequestHandler, Response } from 'express';
import { Histogram } from 'prom-client';
import type { Log } from '../logs';
import { passing } from './context';
import { begin } from './spans';
import { contextIn, traceFields, traceparentOf } from './traceparent';

const seconds = new Histogram({
  name: 'http_request_duration_seconds',
  help: 'From the head of a request to the end of its answer, with what it waited for (?wait=)',
  labelNames: ['method', 'route', 'status'],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 300],
});

/** Asked every few seconds by machines: measured, but neither traced nor worth a line. */
const probes = new Set(['/healthz', '/readyz', '/metrics']);
const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
/** For callers that had gone before their answer was sent, as nginx counts them. */
const GONE = 499;

/**
 * Gives each request its trace, or goes on with the caller's (W3C Trace Context), tells it in `traceresponse`, measures
 * the answer, and logs it: at `info` what changes something or was refused, at `debug` plain reads. The log has no query,
 * header or body, since any of them may hold a secret.
 */
export function witnessRequests(log: Log): RequestHandler {
  return (request, response, next) => {
    const startedMs = performance.now();
    if (probes.has(request.path)) {
      response.once('close', () => void measured(request, response, startedMs));
      return next();
    }
    const from = contextIn(request.get('traceparent'));
    const span = begin(request.method, { kind: SpanKind.SERVER }, from);
    const traceparent = traceparentOf(span);
    const ids = { request_id: requestId(request) ?? traceFields(traceparent).trace_id, ...traceFields(traceparent) };
    if (traceparent) response.setHeader('traceresponse', traceparent);
    if (ids.request_id) response.setHeader('X-Request-Id', ids.request_id);
    // One that waits may do so for minutes, and changes nothing that would have to know its trace.
    const leave = 'wait' in request.query ? () => undefined : passing.hold();
    response.once('close', () => {
      leave();
      const answered = measured(request, response, startedMs);
      end(span, request, answered);
      log[levelOf(request, answered.status)]({ ...answered, ...ids }, 'answered');
    });
    context.with(trace.setSpan(from, span), next);
  };
}

interface Answered {
  readonly method: string;
  readonly route: string;
  readonly status: number;
  readonly took_ms: number;
}

function measured(request: Request, response: Response, startedMs: number): Answered {
  const tookMs = performance.now() - startedMs;
  const method = methods.has(request.method) ? request.method : 'OTHER';
  const { path: route = 'none' } = (request.route ?? {}) as { path?: string };
  const status = response.writableFinished ? response.statusCode : GONE;
  seconds.observe({ method, route, status }, tookMs / 1_000);
  return { method, route, status, took_ms: Math.round(tookMs * 10) / 10 };
}

/** Named by its route, which is known only now (OpenTelemetry semantic conventions, HTTP server spans). */
function end(span: Span, request: Request, { method, route, status }: Answered): void {
  span.updateName(`${method} ${route}`);
  span.setAttributes({
    'http.request.method': method,
    'http.route': route,
    'http.response.status_code': status,
    'url.path': request.path,
  });
  if (status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function levelOf({ method }: Request, status: number): 'debug' | 'info' {
  return status < 400 && ['GET', 'HEAD', 'OPTIONS'].includes(method) ? 'debug' : 'info';
}

/** The caller's own id for the request, where it is harmless in a log. */
function requestId(request: Request): string | undefined {
  const given = request.get('x-request-id');
  return given !== undefined && /^[\w.:+/=-]{1,128}$/.test(given) ? given : undefined;
}

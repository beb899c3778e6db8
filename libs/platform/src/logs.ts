import type { LoggerService } from '@nestjs/common';
import { type DestinationStream, type Logger, pino } from 'pino';
import { activeTraceparent, traceFields } from './telemetry/traceparent';

export type Log = Logger;

/**
 * JSON lines, on standard output unless told otherwise, with `time`, `level` and `msg`, as the seed has them, and `trace_id` and `span_id` of
 * what is being done, if it is traced. Fields are in snake_case.
 */
export function makeLog(level: string, to: DestinationStream = pino.destination(1)): Log {
  const options = {
    level,
    base: null,
    mixin: () => traceFields(activeTraceparent()),
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label: string) => ({ level: label.toUpperCase() }) },
    serializers: { err: ({ name, message, stack }: Error) => ({ name, message, stack }) },
  };
  return pino(options, to);
}

/** Nest's own words: of interest only to those who look for a fault in the wiring. */
export function nestLogger(log: Log): LoggerService {
  const say =
    (level: 'debug' | 'warn' | 'error') =>
    (message: unknown, ...more: unknown[]) => {
      if (message instanceof Error) log[level]({ err: message }, message.message);
      else log[level]({ context: more.at(-1) }, String(message));
    };
  return {
    log: say('debug'),
    debug: say('debug'),
    verbose: say('debug'),
    warn: say('warn'),
    error: say('error'),
    fatal: say('error'),
  };
}

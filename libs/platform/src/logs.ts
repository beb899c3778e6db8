import type { LoggerService } from '@nestjs/common';
import { type Logger, pino } from 'pino';

export type Log = Logger;

/** JSON lines on standard output with `time`, `level` and `msg`, as the seed has them. Fields are in snake_case. */
export function makeLog(level: string): Log {
  return pino({
    level,
    base: null,
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label.toUpperCase() }) },
    serializers: { err: ({ name, message, stack }: Error) => ({ name, message, stack }) },
  });
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

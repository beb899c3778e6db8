import { z } from 'zod';
import { databaseUrl } from './database/database-url';

/** Every fault of the environment at once; the process must not start. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';

  constructor(readonly faults: readonly string[]) {
    super(`${faults.length} setting(s) cannot be used:\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  }
}

const unitMs = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Milliseconds of a Go-style duration (`300ms`, `5s`, `1h30m`), or null where it is none. */
export function durationMs(text: string): number | null {
  if (!/^(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+$/.test(text)) return null;
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g);
  return [...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * unitMs[unit as keyof typeof unitMs], 0);
}

/** What Node's timers can wait for; more of it would be 1 ms. */
const MOST_MS = 2 ** 31 - 1;

/** A positive Go-style duration of at least 1 ms and at most 24 days, parsed into milliseconds. */
export const duration = (text: string) =>
  z
    .string()
    .default(text)
    .transform((value, context) => {
      const ms = durationMs(value);
      if (ms !== null && ms >= 1 && ms <= MOST_MS) return ms;
      context.addIssue(`"${value}" is no positive duration up to 596h: write it like 300ms, 5s or 1h30m`);
      return z.NEVER;
    });

/** A whole number within bounds. */
export const whole = (fallback: number, least: number, most: number) =>
  z
    .string()
    .default(String(fallback))
    .transform((value, context) => {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : NaN;
      if (number >= least && number <= most) return number;
      context.addIssue(`"${value}" is no whole number from ${least} to ${most}`);
      return z.NEVER;
    });

/** One word of a list. */
export const oneOf = <const Words extends readonly [string, ...string[]]>(words: Words, fallback: Words[number]) =>
  z
    .string()
    .default(fallback)
    .transform((value, context) => {
      const word = (words as readonly Words[number][]).find((one) => one === value);
      if (word !== undefined) return word;
      context.addIssue(`"${value}" is none of ${words.join(', ')}`);
      return z.NEVER;
    });

/** AMQP URLs of the nodes of a broker, as a list; nothing of a faulty one is repeated, since it may hold a password. */
const amqpUrls = z.string().transform((text, context) => {
  const urls = text.split(',').map((url) => url.trim());
  const isAmqp = (url: string): boolean => /^amqps?:\/\/[^/]/.test(url) && URL.canParse(url);
  if (urls.every(isAmqp)) return urls;
  context.addIssue('is no AMQP URL, nor several with commas between: write it like amqp://user:password@host:5672/');
  return z.NEVER;
});

/** What every service is told. */
export const houseSettings = {
  RECONCILER_DATABASE_URL: databaseUrl,
  /** Connections per service to PostgreSQL. */
  RECONCILER_DATABASE_CONNECTIONS: whole(6, 2, 200),
  /** RabbitMQ; without it, events stay in their process. */
  RECONCILER_AMQP_URL: amqpUrls.optional(),
  /** Certificates, in PEM, that an amqps broker's is signed by; the system's where not set. */
  RECONCILER_AMQP_CA_FILE: z.string().optional(),
  RECONCILER_INTERVAL: duration('5s'),
  RECONCILER_LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], 'info'),
};

export type HouseSettings = z.infer<z.ZodObject<typeof houseSettings>>;

/**
 * Reads settings from the environment, the only place that does; `preset` stands in for variables that are not set.
 * An empty variable counts as not set. Throws SettingsError with every fault.
 */
export function readSettings<Shape extends z.ZodRawShape>(
  shape: Shape,
  preset: Readonly<Record<string, string>> = {},
): z.infer<z.ZodObject<Shape>> {
  const given = Object.entries(process.env).filter(([, value]) => value !== undefined && value !== '');
  const result = z.object(shape).safeParse({ ...preset, ...Object.fromEntries(given) });
  if (result.success) return result.data;
  throw new SettingsError(result.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`));
}

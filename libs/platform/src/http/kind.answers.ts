import { z } from 'zod';
import { instant, page, resourceId } from './schemas';

export const kindParams = z.strictObject({ kind: z.string() });
export const subjectParams = z.strictObject({ kind: z.string(), id: resourceId });

const sentence = z.string().nullable();

export const explanation = z.object({
  id: z.uuid(),
  kind: z.string(),
  desired: z.record(z.string(), z.unknown()).nullable(),
  observed: z.record(z.string(), z.unknown()).nullable(),
  status: z.string().nullable().describe('The state, or `paused`'),
  state: z.string().nullable().describe('The state, paused or not; null for a kind without states'),
  reason: z.string().nullable(),
  paused: z.boolean(),
  because: z.string(),
  waiting_for: sentence.describe('null: for nothing'),
  fix: sentence.describe('What a person should do; null: nothing'),
  since: instant.nullable(),
  looked_at: instant.nullable(),
  next_look_at: instant.nullable(),
  lease: z.object({ holder: z.string(), until: instant, epoch: z.string() }).nullable(),
  failures: z.int(),
  generation: z.string().nullable(),
  passes: z.array(z.object({ at: instant, took_ms: z.int(), outcome: z.string(), step: z.string().nullable() })),
});

export const planned = z.object({
  verdict: z.enum(['act', 'reach', 'wait', 'settle', 'stall', 'gone']),
  step: z.record(z.string(), z.unknown()).nullable(),
  reach: z.record(z.string(), z.unknown()).nullable(),
  because: z.string(),
  fix: sentence,
  next_look_at: instant.nullable(),
  paused: z.boolean(),
});

export const histories = page(
  z.object({ from: z.string().nullable(), to: z.string(), because: z.string(), at: instant, by: z.string() }),
);

export const kindAnswer = z.object({ kind: z.string(), paused: z.boolean(), paused_at: instant.nullable() });

/** Whatever the kind's own GET answers. */
export const anyResource = z.looseObject({ id: z.uuid() });

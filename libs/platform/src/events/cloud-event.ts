import { type EventType, type HouseEvent, eventCatalogue } from '@homeostat/shared';
import { z } from 'zod';

/** CloudEvents 1.0, structured mode (CloudEvents AMQP binding, section 3.2). */
export const CONTENT_TYPE = 'application/cloudevents+json; charset=utf-8';

const envelope = z.object({
  specversion: z.literal('1.0'),
  id: z.string().min(1),
  source: z.string().min(1),
  type: z.string().min(1),
  subject: z.string(),
  time: z.iso.datetime(),
  tenantid: z.string(),
  version: z.string(),
});

/** What a message turned out to be. */
export type Received =
  | { readonly is: 'event'; readonly event: HouseEvent }
  /** Of a newer version of the house, perhaps: nothing that we could be asked to look at. */
  | { readonly is: 'unknown'; readonly type: string }
  | { readonly is: 'malformed'; readonly why: string };

/** Reads a message: an event of the catalogue, one of a type that this version does not know, or neither. */
export function received(content: Buffer): Received {
  let body: unknown;
  try {
    body = JSON.parse(content.toString());
  } catch {
    return { is: 'malformed', why: 'it is not JSON' };
  }
  const outside = envelope.safeParse(body);
  if (!outside.success) return { is: 'malformed', why: `it is no CloudEvent: ${faultsOf(outside.error)}` };
  const { type } = outside.data;
  if (!Object.hasOwn(eventCatalogue, type)) return { is: 'unknown', type };
  const inside = eventCatalogue[type as EventType].safeParse((body as HouseEvent).data);
  if (!inside.success) return { is: 'malformed', why: `its data are none of ${type}: ${faultsOf(inside.error)}` };
  return { is: 'event', event: body as HouseEvent };
}

function faultsOf(error: z.ZodError): string {
  return error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`).join('; ');
}

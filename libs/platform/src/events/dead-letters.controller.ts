import { HouseError } from '@homeostat/shared';
import { Controller, type DynamicModule, Module } from '@nestjs/common';
import { z } from 'zod';
import type { Asked } from '../http/asked';
import { Route } from '../http/route';
import { instant, wholeNumber } from '../http/schemas';
import type { Broker } from './broker';
import { type Chosen, type DeadLetter, DeadLetters } from './dead-letters';

const letter = z.object({
  id: z.string().describe('The event’s id; of what is no event, a digest'),
  service: z.string(),
  type: z.string().nullable(),
  reason: z.enum(['rejected', 'delivery_limit', 'expired', 'maxlen']),
  message: z.string().describe('A sentence for people'),
  count: z.number().describe('How often it has died'),
  died_at: instant.nullable(),
  event: z.unknown().describe('The event; of what is none, its text'),
});
const letters = z.object({ items: z.array(letter), total: z.number(), next_cursor: z.null() });
const query = z.strictObject({
  service: z.string().max(100, 'is too long').optional(),
  limit: wholeNumber(1, 500).default(50).describe('How many of each service, the oldest first; 50 where not given'),
});
const chosen = z.strictObject({
  service: z.string().min(1, 'is empty').max(100, 'is too long'),
  id: z.string().min(1, 'is empty').max(255, 'is too long').optional().describe('All of the service where not given'),
});
const dealt = z.object({ count: z.number(), remaining: z.number() });

/** The dead letters of this process's services, for people who look after the house. */
export class DeadLetterDesk {
  private readonly letters: DeadLetters | null;

  constructor(
    broker: Broker | null,
    private readonly services: readonly string[],
  ) {
    this.letters = broker && new DeadLetters(broker);
  }

  /** Events that stay in their process are never given up. */
  async list(service: string | undefined, limit: number): Promise<{ items: DeadLetter[]; total: number }> {
    const { letters } = this;
    if (!letters) return { items: [], total: 0 };
    const services = service === undefined ? this.services : [this.served(service)];
    const found = await Promise.all(services.map((one) => reached(letters.list(one, limit))));
    const total = found.reduce((sum, one) => sum + one.total, 0);
    return { items: found.flatMap(({ items }) => items), total };
  }

  deal(how: 'requeue' | 'drop', { service, id }: Chosen): Promise<object> {
    this.served(service);
    if (!this.letters) throw new HouseError('conflict', 'events stay in this process: there are no dead letters');
    return reached(this.letters[how]({ service, id }));
  }

  private served(service: string): string {
    if (this.services.includes(service)) return service;
    throw new HouseError('not_found', `${service} is not served here, but ${this.services.join(', ')}`);
  }
}

async function reached<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    throw new HouseError('unavailable', `the broker cannot be asked: ${(error as Error).message}`);
  }
}

@Controller()
export class DeadLettersController {
  constructor(private readonly desk: DeadLetterDesk) {}

  @Route('GET /v1/dead-letters', {
    summary: 'Messages that services gave up, the oldest first',
    scope: 'admin',
    query,
    answer: letters,
  })
  async list({ query: { service, limit } }: Asked<{ query: typeof query }>) {
    return { ...(await this.desk.list(service, limit)), next_cursor: null };
  }

  @Route('POST /v1/dead-letters/requeue', {
    summary: 'Let a service try dead letters again: one, or up to 1000',
    scope: 'admin',
    body: chosen,
    answer: dealt,
  })
  async requeue({ body: { service, id } }: Asked<{ body: typeof chosen }>) {
    return this.desk.deal('requeue', { service, id: id ?? null });
  }

  @Route('POST /v1/dead-letters/drop', {
    summary: 'Forget dead letters: one, or up to 1000',
    scope: 'admin',
    body: chosen,
    answer: dealt,
  })
  async drop({ body: { service, id } }: Asked<{ body: typeof chosen }>) {
    return this.desk.deal('drop', { service, id: id ?? null });
  }
}

@Module({})
class DeadLettersModule {}

/** The routes of dead letters, for a process of these services. */
export function deadLettersOf(broker: Broker | null, services: readonly string[]): DynamicModule {
  const desk = { provide: DeadLetterDesk, useValue: new DeadLetterDesk(broker, services) };
  return { module: DeadLettersModule, controllers: [DeadLettersController], providers: [desk] };
}

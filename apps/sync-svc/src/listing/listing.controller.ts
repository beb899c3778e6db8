import { type Asked, Database, KindDesks, Route, SETTINGS, instant } from '@homeostat/platform';
import { REGISTRY_ID, recordStates } from '@homeostat/shared';
import { Controller, Inject } from '@nestjs/common';
import { z } from 'zod';
import type { SyncSettings } from '../sync.config';

const registryAnswer = z.object({
  id: z.uuid(),
  address: z.string().nullable().describe('null: no registry is configured'),
  repository: z.string(),
  phase: z.enum(['idle', 'listing', 'removing']).describe('What the indexer does at this moment'),
  listed: z.int().describe('Tags that the listing under way, or the last one, has found'),
  tags: z.int().nullable().describe('Tags of the last complete listing'),
  referrers_api: z.boolean().nullable().describe('null: not asked yet'),
  started_at: instant.nullable(),
  finished_at: instant.nullable(),
  records: z.record(z.enum(recordStates), z.int()),
});

/** The registry that is indexed, and how far that is. */
@Controller()
export class ListingController {
  constructor(
    private readonly database: Database,
    @Inject(SETTINGS) private readonly settings: SyncSettings,
    desks: KindDesks,
  ) {
    desks.showBy('registry', () => this.figures());
  }

  @Route('GET /v1/registry', { summary: 'Reads how far the index is', scope: 'read', answer: registryAnswer })
  read(_asked: Asked) {
    return this.figures();
  }

  private async figures(): Promise<object> {
    const { RECONCILER_LOCAL_REGISTRY_ADDRESS: address, RECONCILER_LOCAL_REGISTRY_REPOSITORY: repository } =
      this.settings;
    const [row] = await this.database.query<object>(
      'SELECT phase, listed, tags, referrers_api, started_at, finished_at FROM registry WHERE id = $1',
      [REGISTRY_ID],
    );
    const counted = await this.database.query<{ status: string; count: number }>(
      `SELECT s.status, (SELECT count(*)::integer FROM record r WHERE r.status = s.status) AS count
       FROM unnest($1::text[]) AS s (status)`,
      [recordStates],
    );
    const records = Object.fromEntries(counted.map(({ status, count }) => [status, count]));
    return { id: REGISTRY_ID, address, repository, ...row, records };
  }
}

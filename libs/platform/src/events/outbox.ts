import type { HouseEvent } from '@homeostat/shared';
import type { Database } from '../database/database';
import type { Log } from '../logs';
import type { Transport } from './transport';

/** Events per round trip to the transport. */
const BATCH = 200;
/** What was sent is deleted together with what follows: those who wait for an event come first. */
const FORGET_MS = 50;

interface OutboxRow extends Pick<HouseEvent, 'id' | 'type' | 'source' | 'subject' | 'version' | 'data'> {
  readonly tenant_id: string;
  readonly at: Date;
}

/**
 * Sends committed events off and forgets what arrived (design.md, "Events"). What is lost on the way, or left by a
 * process that died, is still in the table, and `relay` sends it again: at least once, in no promised order.
 */
export class Outbox {
  private readonly queue: HouseEvent[] = [];
  private readonly sent: string[] = [];
  private draining: Promise<void> | null = null;
  private forgetting: NodeJS.Timeout | null = null;

  constructor(
    private readonly database: Database,
    private readonly transport: Transport,
    private readonly log: Log,
  ) {}

  /** Takes over events that were just committed. */
  send(events: readonly HouseEvent[]): void {
    this.queue.push(...events);
    if (this.queue.length > 0) this.draining ??= this.drain();
  }

  /** Resolves when everything taken over so far was sent and forgotten, or given up until the next relay. */
  async settled(): Promise<void> {
    while (this.draining) await this.draining;
    if (this.forgetting) clearTimeout(this.forgetting);
    await this.forget();
  }

  /** Sends again what has been in the table for too long; each row by one replica at a time. */
  async relay(): Promise<void> {
    while ((await this.relayBatch()) === BATCH);
  }

  private async relayBatch(): Promise<number> {
    const rows = await this.database.query<OutboxRow>(
      `UPDATE outbox SET relay_at = now() + interval '5 s' WHERE id IN (
         SELECT id FROM outbox WHERE relay_at <= now() ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING id, type, source, tenant_id, subject, version, data, at`,
      [BATCH],
    );
    this.send(rows.map(eventOf));
    return rows.length;
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0) {
      const batch = this.queue.splice(0, BATCH);
      try {
        this.sent.push(...(await this.transport.publish(batch)));
      } catch (error) {
        this.log.warn({ err: error, events: batch.length }, 'publishing failed; the events stay in the outbox');
      }
    }
    this.draining = null;
    this.forgetting ??= setTimeout(() => void this.forget(), FORGET_MS);
  }

  /** Not worth an fsync: were the deletion lost, an event would come twice. */
  private async forget(): Promise<void> {
    this.forgetting = null;
    const ids = this.sent.splice(0);
    if (ids.length === 0) return;
    try {
      await this.database.query(
        `DELETE FROM outbox USING (SELECT set_config('synchronous_commit', 'off', true)) AS hasty WHERE id = ANY ($1::uuid[])`,
        [ids],
      );
    } catch (error) {
      this.log.warn({ err: error, events: ids.length }, 'events that were sent could not be deleted; they come again');
    }
  }
}

function eventOf({ tenant_id: tenantid, at, ...row }: OutboxRow): HouseEvent {
  return { specversion: '1.0', datacontenttype: 'application/json', time: at.toISOString(), tenantid, ...row };
}

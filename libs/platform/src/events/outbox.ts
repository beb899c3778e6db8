import type { HouseEvent } from '@homeostat/shared';
import type { Database } from '../database/database';
import type { Log } from '../logs';
import type { Transport } from './transport';

/** Events per round trip to the transport. */
const BATCH = 200;
/** What was sent is deleted together with what follows: those who wait for an event come first. */
const FORGET_MS = 50;
/** The age from which any replica may send an event; the writer leaves it to them from then on. */
const LEFT_MS = 5_000;
/** More are not kept in memory while the transport is away or slow: they are in the table anyway. */
const MOST = 10_000;
/** Of the second that a shutdown may take. */
const GRACE_MS = 300;

interface OutboxRow extends Pick<HouseEvent, 'id' | 'type' | 'source' | 'subject' | 'version' | 'data'> {
  readonly tenant_id: string;
  readonly traceparent: string | null;
  readonly at: Date;
}

/**
 * Sends committed events off and forgets what arrived (design.md, "Events"). What is lost on the way, or left by a
 * process that died, is still in the table, and `relay` sends it again: at least once, in no promised order.
 */
export class Outbox {
  private queue: { readonly event: HouseEvent; readonly since: number }[] = [];
  private readonly sent: string[] = [];
  private draining: Promise<void> | null = null;
  private relaying: Promise<void> | null = null;
  private forgetting: NodeJS.Timeout | null = null;
  private said = false;
  private closing = false;

  constructor(
    private readonly database: Database,
    private readonly transport: Transport,
    private readonly log: Log,
  ) {
    transport.onceBack(() => this.resume());
  }

  /** Takes over events that were just committed. */
  send(events: readonly HouseEvent[]): void {
    const since = performance.now();
    for (const event of events) if (this.queue.length < MOST) this.queue.push({ event, since });
    if (this.queue.length > 0 && this.transport.away === null) this.draining ??= this.drain();
  }

  /** Sends off what was taken over, for a moment at most, and forgets what arrived; the rest is for other replicas. */
  async settled(): Promise<void> {
    this.closing = true;
    const under = Promise.allSettled([this.draining, this.relaying]);
    await Promise.race([under, new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref())]);
    if (this.forgetting) clearTimeout(this.forgetting);
    await this.forget();
  }

  /** Sends what has been in the table for too long; each row by one replica at a time. */
  relay(): Promise<void> {
    this.relaying ??= this.relayAll().finally(() => (this.relaying = null));
    return this.relaying;
  }

  private async relayAll(): Promise<void> {
    this.leaveOld();
    while (!this.closing && this.transport.away === null && (await this.relayBatch()) === BATCH);
  }

  private async relayBatch(): Promise<number> {
    const rows = await this.database.query<OutboxRow>(
      `UPDATE outbox SET relay_at = now() + $2 * interval '1 ms' WHERE id IN (
         SELECT id FROM outbox WHERE relay_at <= now() ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
       RETURNING id, type, source, tenant_id, subject, version, data, traceparent, at`,
      [BATCH, LEFT_MS],
    );
    await this.publish(rows.map(eventOf));
    return rows.length;
  }

  /** At once, whatever the age: events waited for the transport, not for their writer to be declared dead. */
  private resume(): void {
    this.said = false;
    this.leaveOld();
    this.send([]);
    void this.relay().catch((error: unknown) => this.log.warn({ err: error }, 'relay failed; it is tried again'));
  }

  /** What is older belongs to the relay, of whatever replica. */
  private leaveOld(): void {
    const oldest = performance.now() - LEFT_MS;
    const first = this.queue.findIndex(({ since }) => since > oldest);
    if (first !== 0) this.queue = first === -1 ? [] : this.queue.slice(first);
  }

  private async drain(): Promise<void> {
    while (this.queue.length > 0 && this.transport.away === null)
      await this.publish(this.queue.splice(0, BATCH).map(({ event }) => event));
    this.draining = null;
  }

  private async publish(events: readonly HouseEvent[]): Promise<void> {
    if (events.length === 0) return;
    try {
      this.sent.push(...(await this.transport.publish(events)));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (!this.said) this.log.warn({ events: events.length }, `publishing failed; events stay in the outbox: ${why}`);
      this.said = true;
    }
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

function eventOf({ tenant_id: tenantid, traceparent, at, ...row }: OutboxRow): HouseEvent {
  const trace = traceparent === null ? {} : { traceparent };
  return {
    specversion: '1.0',
    datacontenttype: 'application/json',
    time: at.toISOString(),
    tenantid,
    ...row,
    ...trace,
  };
}

import { type SchedulerRegistry } from '@nestjs/schedule';
import type { Database } from '../database/database';
import { dueOf } from '../database/notebook';
import { schemaCheck } from '../database/schema';
import type { Outbox } from '../events/outbox';
import type { Log } from '../logs';
import type { Service } from '../service';
import type { Looks } from './looks';

/** An audit reads one slice of 1 000 resources, of one service after the other: a million rows take a day, and no one notices. */
const AUDIT_MS = 30_000;
/** The age at which an event counts as left behind. */
const RELAY_MS = 5_000;
const RETRY_MS = 500;
/** Of the second that a shutdown may take, what running passes and beats get. */
const GRACE_MS = 600;

/** The few timers of a process: one question for everything that is due, whatever the number of services and resources. */
export class Heart {
  private turn = 0;
  private stopped = false;
  private readonly underWay = new Set<Promise<void>>();

  constructor(
    private readonly looks: readonly Looks[],
    /** Looked at before anything else. */
    private readonly first: NonNullable<Service['lookAtStart']>,
    private readonly database: Database,
    private readonly outbox: Outbox,
    private readonly schedule: SchedulerRegistry,
    private readonly intervalMs: number,
    private readonly log: Log,
  ) {}

  /** Beats as soon as the database is there with a schema that this process knows. */
  async start(): Promise<void> {
    await this.schemaIsKnown();
    if (this.stopped) return;
    this.every('pulse', this.intervalMs, () => this.pulse());
    this.every('audit', AUDIT_MS, () => this.audit());
    this.every('relay', RELAY_MS, () => this.outbox.relay());
    await this.beat('first look', () => this.lookAtFirst());
    await this.beat('relay', () => this.outbox.relay());
    await this.beat('pulse', () => this.pulse());
  }

  /** Hands every lease back, and asks the database nothing more, within a second. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const name of this.schedule.getIntervals()) this.schedule.deleteInterval(name);
    await Promise.all([this.beatsEnd(), ...this.looks.map(({ loop }) => loop.stop(GRACE_MS))]);
    await this.outbox.settled();
  }

  private async lookAtFirst(): Promise<void> {
    for (const { kind, key } of this.first)
      await this.database.query('SELECT request_look($1, ARRAY[$2::uuid])', [kind, key]);
  }

  private async pulse(): Promise<void> {
    const kinds = this.looks.flatMap(({ loop }) => loop.kinds);
    const due = await this.answered('pulse failed', () => dueOf(this.database, kinds));
    if (due) for (const { loop } of this.looks) loop.wake(due);
  }

  private async audit(): Promise<void> {
    await this.looks[this.turn % this.looks.length]?.loop.audit();
    this.turn += 1;
  }

  private async schemaIsKnown(): Promise<void> {
    const check = schemaCheck(this.database);
    await this.answered('waiting to start', async () => {
      const fault = await check();
      if (fault !== null) throw new Error(fault);
    });
  }

  /** Asks again and again until there is an answer, and says once why there is none; undefined when told to stop. */
  private async answered<T>(without: string, ask: () => Promise<T>): Promise<T | undefined> {
    for (let said = ''; !this.stopped;) {
      try {
        return await ask();
      } catch (error) {
        const fault = error instanceof Error ? error.message : String(error);
        if (fault !== said) this.log.warn(`${without}: ${fault}`);
        said = fault;
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
    return undefined;
  }

  private async beat(name: string, work: () => Promise<void>): Promise<void> {
    if (this.stopped) return;
    const done = work()
      .catch((error: unknown) => this.warn(name, error))
      .finally(() => this.underWay.delete(done));
    this.underWay.add(done);
    await done;
  }

  private async beatsEnd(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, GRACE_MS).unref());
    await Promise.race([Promise.all(this.underWay), late]);
  }

  private every(name: string, ms: number, beat: () => Promise<void>): void {
    let busy = false;
    const once = async (): Promise<void> => {
      if (busy) return;
      busy = true;
      await this.beat(name, beat);
      busy = false;
    };
    this.schedule.addInterval(
      name,
      setInterval(() => void once(), ms),
    );
  }

  private warn(name: string, error: unknown): void {
    this.log.warn({ err: error }, `${name} failed: ${error instanceof Error ? error.message : String(error)}`);
  }
}

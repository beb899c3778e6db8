import { Loop } from '../loop';
import type { EngineOptions, Witness } from '../ports';
import type { VirtualClock } from './clock';
import type { Dice } from './dice';
import { Life } from './life';
import { type Database, MemoryNotebook } from './memory.notebook';
import type { Outside } from './outside';
import { reconcilers } from './reconcilers';
import type { Unit } from './unit';
import { type Troubles, Wire } from './wire';

/** What all simulated processes share, and who watches them. */
export interface House {
  readonly clock: VirtualClock;
  readonly dice: Dice;
  readonly troubles: Troubles;
  readonly database: Database;
  readonly outside: Outside;
  readonly auditEveryMs: number | null;
  looked(look: Parameters<Witness['looked']>[0]): void;
  failed(what: Parameters<Witness['failed']>[0]): void;
  reaching(holder: string, life: Life, key: string, by: number): void;
}

/** Small batches, so that a few resources make several passes. */
export const options: EngineOptions = { batch: 5, passes: 2, leaseMs: 8_000, horizonMs: 10_000, auditSlice: 4 };
const pollMs = 5_000;
const graceMs = 800;

/** One replica of the toy service, with its loop, its poll and, if the house wants one, its audit. */
export class SimulatedProcess {
  readonly life: Life;
  readonly loop: Loop<Unit>;

  constructor(
    readonly name: string,
    private readonly house: House,
  ) {
    const { clock, dice, troubles, database, outside } = house;
    this.life = new Life(clock);
    const wire = new Wire(this.life, clock, dice, troubles);
    const reaching = (_: string, key: string, by: number): void => house.reaching(name, this.life, key, by);
    const witness: Witness = {
      looked: (look) => house.looked(look),
      failed: (what) => house.failed(what),
      claimed: () => undefined,
      lost: () => undefined,
    };
    this.loop = new Loop(reconcilers({ tables: database.tables, outside, wire, life: this.life, reaching }), {
      notebook: new MemoryNotebook(database, name, wire),
      timers: this.life,
      witness,
      random: dice.next,
      options,
    });
    this.repeat(pollMs, () => this.loop.poll());
    if (house.auditEveryMs !== null) this.repeat(house.auditEveryMs, () => this.loop.audit());
  }

  /** Shuts down as on SIGTERM; the process is gone a moment after its grace. */
  async stop(): Promise<void> {
    const gone = this.life.pass(graceMs + 200);
    void this.loop.stop(graceMs);
    await gone;
    this.life.die();
  }

  private repeat(everyMs: number, run: () => Promise<void>): void {
    const again = (): void => void run().then(() => this.life.after(everyMs, again));
    this.life.after(this.house.dice.between(0, everyMs), again);
  }
}

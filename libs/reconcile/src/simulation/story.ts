import { VirtualClock } from './clock';
import { Dice } from './dice';
import { MemoryNotebook } from './memory.notebook';
import { Outside } from './outside';
import { Rows } from './rows';
import { type House, SimulatedProcess } from './simulated.process';
import { Tables, type Thing, type Unit } from './unit';
import { Watch } from './watch';
import type { Troubles } from './wire';

const calm: Troubles = {
  outage: false,
  refused: 0,
  lostAnswer: 0,
  outsideFails: 0,
  outsideHangs: 0,
  nudgeLost: 0,
  nudgeDoubled: 0,
};

/** Three processes, one database, and users who want something of them; the troubles are turned on and off from without. */
export class Story {
  readonly clock = new VirtualClock();
  readonly dice: Dice;
  readonly troubles: Troubles = { ...calm };
  readonly rows = new Rows();
  readonly tables = new Tables();
  readonly outside: Outside;
  readonly watch = new Watch(this.rows);
  readonly processes: SimulatedProcess[] = [];
  readonly looks = new Map<string, number>();
  private readonly house: House;
  private readonly users: MemoryNotebook;
  private born = 0;

  constructor(seed: number) {
    const { clock, rows, tables, watch } = this;
    const dice = (this.dice = new Dice(seed));
    this.outside = new Outside(dice, this.troubles);
    const database = {
      rows,
      tables,
      nowMs: () => clock.nowMs(),
      claimed: watch.claimed.bind(watch),
      committed: (holder: string, unit: Unit) => this.committed(holder, unit),
    };
    this.house = {
      clock,
      dice,
      troubles: this.troubles,
      database,
      outside: this.outside,
      auditEveryMs: seed % 4 === 0 ? 7_000 : null,
      looked: (look) => this.looked(look),
      failed: () => undefined,
      reaching: watch.reaching.bind(watch),
    };
    this.users = new MemoryNotebook(database, 'the users', { call: async (carryOut) => carryOut() });
    for (let count = 0; count < 3; count++) this.start();
  }

  start(): void {
    this.processes.push(new SimulatedProcess(`process ${(this.born += 1)}`, this.house));
  }

  /** One of the living; it leaves the list, as it is about to die. */
  victim(): SimulatedProcess | undefined {
    return this.processes.splice(this.dice.between(0, this.processes.length - 1), 1)[0];
  }

  async create(kind: string, key: string): Promise<void> {
    await this.write(kind, key, () => ({ state: 'queued', wanted: 0, done: 0 }), `${key} is created`);
  }

  /** A change by a user, who knows nothing of the engine but that a look is wanted. */
  async wish(key: string): Promise<void> {
    const wanted = (this.tables.get('deployments', key)?.wanted ?? 0) + 1;
    await this.write('deployments', key, (thing) => thing && { ...thing, wanted }, `${key} is wished for: ${wanted}`);
  }

  async remove(key: string): Promise<void> {
    await this.write('deployments', key, () => null, `${key} is removed`);
  }

  calmDown(): void {
    Object.assign(this.troubles, calm);
    this.rows.pausedKinds.clear();
    for (const kind of ['deployments', 'builds']) {
      for (const { key, paused } of this.rows.all(kind)) if (paused) this.rows.resume(kind, key, this.clock.nowMs());
    }
  }

  /** What must hold at the end: everything but the poisoned key is innocent, and that one has failed and waits. */
  remarks(): string[] {
    const { outcome, failures, dueAt } = this.rows.find('deployments', 'poison') ?? {};
    const alone = outcome === 'failed' && failures! > 1 && dueAt! > this.clock.nowMs() - 15_000;
    return alone ? [] : [`the poisoned key does not back off: ${outcome}, ${failures} failures`];
  }

  private write(
    kind: string,
    key: string,
    change: (thing?: Thing) => Thing | null | undefined,
    effect: string,
  ): Promise<void> {
    return this.users.transaction(async (unit) => {
      const changed = change(unit.get(kind, key));
      if (changed === undefined) return;
      unit.set(kind, key, changed, effect);
      unit.wake(kind, key);
    });
  }

  private committed(holder: string, unit: Unit): void {
    this.watch.committed(holder, unit);
    for (const kind of new Set(unit.wishes.map((wish) => wish.kind))) this.nudge(kind);
  }

  /** An event goes to one process; it may be lost, late, or come twice. */
  private nudge(kind: string): void {
    const { dice, troubles } = this;
    const copies = dice.chance(troubles.nudgeLost) ? 0 : dice.chance(troubles.nudgeDoubled) ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      const { life, loop } = dice.pick(this.processes);
      life.after(dice.between(1, 30), () => loop.nudge(kind));
    }
  }

  private looked(look: { kind: string; key: string; outcome: string }): void {
    this.looks.set(look.key, (this.looks.get(look.key) ?? 0) + 1);
    this.watch.looked(look);
  }
}

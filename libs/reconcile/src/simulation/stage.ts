import { settle } from '../decision';
import { Loop } from '../loop';
import type { EngineOptions, Witness } from '../ports';
import type { AnyReconciler } from '../reconciler';
import { VirtualClock, drained } from './clock';
import { MemoryNotebook } from './memory.notebook';
import { Rows } from './rows';
import { Tables, type Unit } from './unit';

type Look = Parameters<Witness['looked']>[0];
type Fault = Parameters<Witness['failed']>[0];

const options: EngineOptions = { batch: 4, passes: 2, leaseMs: 8_000, horizonMs: 10_000, auditSlice: 2 };

/** A scripted kind on an empty stage: one loop, a database that answers at once, and nothing that moves by itself. */
export class Stage {
  readonly clock = new VirtualClock();
  readonly rows = new Rows();
  readonly tables = new Tables();
  readonly looks: Look[] = [];
  readonly faults: Fault[] = [];
  readonly notebook: MemoryNotebook;
  readonly loop: Loop<Unit>;

  constructor(script: Partial<AnyReconciler<Unit>>, changed: Partial<EngineOptions> = {}) {
    this.notebook = this.notebookOf('this process');
    this.loop = this.loopOf(this.notebook, script, changed);
  }

  /** Another process's view of the same notebook. */
  notebookOf(holder: string): MemoryNotebook {
    const { rows, tables, clock } = this;
    return new MemoryNotebook({ rows, tables, nowMs: () => clock.nowMs() }, holder, {
      call: async (carryOut) => carryOut(),
    });
  }

  /** Makes keys due, and has the loop look at all that is due. */
  async look(...keys: string[]): Promise<void> {
    this.due(...keys);
    this.loop.nudge('things');
    await drained();
  }

  due(...keys: string[]): void {
    for (const key of keys) this.tables.set(`things ${key}`, { state: 'there', wanted: 0, done: 0 });
    this.rows.requestLook('things', keys, this.clock.nowMs());
  }

  row(key: string): { outcome: string | null; failures: number; inMs: number | null; leased: boolean } | undefined {
    const row = this.rows.find('things', key);
    const inMs = row?.dueAt == null ? null : row.dueAt - this.clock.nowMs();
    return row && { outcome: row.outcome, failures: row.failures, inMs, leased: row.until !== null };
  }

  private loopOf(
    notebook: MemoryNotebook,
    script: Partial<AnyReconciler<Unit>>,
    changed: Partial<EngineOptions>,
  ): Loop<Unit> {
    const things: AnyReconciler<Unit> = {
      kind: 'things',
      observe: async (keys) => new Map(keys.flatMap((key) => (this.tables.get('things', key) ? [[key, key]] : []))),
      decide: () => settle('all is well'),
      act: async (plans) => new Set(plans.map(({ key }) => key)),
      ...script,
    };
    const witness: Witness = {
      looked: (look) => void this.looks.push(look),
      failed: (fault) => void this.faults.push(fault),
      claimed: () => undefined,
      lost: () => undefined,
    };
    return new Loop([things], {
      notebook,
      timers: this.clock,
      witness,
      random: () => 0.5,
      options: { ...options, ...changed },
    });
  }
}

/** A promise that the test itself keeps or breaks. */
export class Gate<T = void> {
  open!: (value: T) => void;
  fail!: (error: Error) => void;
  readonly passed = new Promise<T>((open, fail) => Object.assign(this, { open, fail }));
}

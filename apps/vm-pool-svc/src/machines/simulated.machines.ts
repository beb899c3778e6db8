import { setTimeout as sleep } from 'node:timers/promises';
import type { Database } from '@homeostat/platform';
import type { MachineState, Machines } from './machines.port';

type Order = 'create' | 'start' | 'scrub' | 'remove';

interface Call {
  readonly vmId: string;
  readonly answer: (state: MachineState) => void;
  readonly refuse: (error: unknown) => void;
}

/** What each order does to the machines in `$1`; those it does not return are absent. */
const orders: Record<Order, string> = {
  create: `
    INSERT INTO simulated_machine (vm_id, state) SELECT unnest($1::uuid[]), 'up'
    ON CONFLICT (vm_id) DO UPDATE SET
      state = CASE WHEN simulated_machine.state = 'stopped' THEN 'up' ELSE simulated_machine.state END
    RETURNING vm_id, state`,
  start: `UPDATE simulated_machine SET state = 'running' WHERE vm_id = ANY ($1) RETURNING vm_id, state`,
  scrub: `UPDATE simulated_machine SET state = 'stopped' WHERE vm_id = ANY ($1) RETURNING vm_id, state`,
  remove: `WITH removed AS (DELETE FROM simulated_machine WHERE vm_id = ANY ($1)) SELECT NULL AS vm_id, NULL AS state WHERE false`,
};

/** Machines that exist in a table only. They outlive the process, take their time, and fail as often as they are told to. */
export class SimulatedMachines implements Machines {
  readonly atOnce = 500;
  private readonly waiting = new Map<Order, Call[]>();

  constructor(
    private readonly database: Database,
    private readonly latencyMs: number,
    private readonly failurePercent: number,
  ) {}

  create(vmId: string, _region: string, _address: string, signal: AbortSignal): Promise<MachineState> {
    return this.order('create', vmId, signal);
  }

  start(vmId: string, _workload: unknown, signal: AbortSignal): Promise<MachineState> {
    return this.order('start', vmId, signal);
  }

  scrub(vmId: string, signal: AbortSignal): Promise<MachineState> {
    return this.order('scrub', vmId, signal);
  }

  remove(vmId: string, signal: AbortSignal): Promise<MachineState> {
    return this.order('remove', vmId, signal);
  }

  async observe(vmId: string): Promise<MachineState> {
    const [row] = await this.database.query<{ state: MachineState }>(
      'SELECT state FROM simulated_machine WHERE vm_id = $1',
      [vmId],
    );
    return row?.state ?? 'absent';
  }

  async list(after: string | null, limit: number): Promise<ReadonlyMap<string, MachineState>> {
    const rows = await this.database.query<{ vm_id: string; state: MachineState }>(
      `SELECT vm_id, state FROM simulated_machine
       WHERE vm_id > coalesce($1, '00000000-0000-0000-0000-000000000000'::uuid) ORDER BY vm_id LIMIT $2`,
      [after, limit],
    );
    return new Map(rows.map(({ vm_id: id, state }) => [id, state]));
  }

  private async order(order: Order, vmId: string, signal: AbortSignal): Promise<MachineState> {
    if (this.latencyMs > 0) await sleep(this.latencyMs, undefined, { signal });
    if (Math.random() * 100 < this.failurePercent) throw new Error('the simulated provider refused, as it was told to');
    return new Promise((answer, refuse) => this.queue(order, { vmId, answer, refuse }));
  }

  /** Orders of the same turn of the event loop are carried out by one statement. */
  private queue(order: Order, call: Call): void {
    const calls = this.waiting.get(order) ?? [];
    this.waiting.set(order, calls);
    if (calls.push(call) === 1) setImmediate(() => void this.carryOut(order));
  }

  private async carryOut(order: Order): Promise<void> {
    const calls = this.waiting.get(order) ?? [];
    this.waiting.delete(order);
    try {
      const ids = calls.map(({ vmId }) => vmId).sort();
      const rows = await this.database.query<{ vm_id: string; state: MachineState }>(orders[order], [ids]);
      const states = new Map(rows.map((row) => [row.vm_id, row.state]));
      for (const { vmId, answer } of calls) answer(states.get(vmId) ?? 'absent');
    } catch (error) {
      for (const { refuse } of calls) refuse(error);
    }
  }
}

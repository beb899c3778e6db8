/**
 * What a provider says about a machine: `up` and empty, `running` a workload, `halted` with one that somebody else stopped,
 * `stopped` and wiped, on its way, or unknown to it.
 */
export type MachineState = 'booting' | 'up' | 'running' | 'halted' | 'stopped' | 'absent';

/** What a machine is to run. */
export interface Workload {
  readonly imageId: string;
  readonly port: number;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * A provider of machines, each named by the id of its VM. Every call may be repeated: `create` of a machine that is
 * there, or `remove` of one that is not, changes nothing. All throw when the provider refuses or cannot be asked.
 */
export interface Machines {
  /** Calls that the provider takes side by side. */
  readonly atOnce: number;
  /** Makes the machine, or boots the one that is stopped. */
  create(vmId: string, region: string, address: string, signal: AbortSignal): Promise<MachineState>;
  start(vmId: string, workload: Workload, signal: AbortSignal): Promise<MachineState>;
  /** Stops the workload and wipes what it left behind. */
  scrub(vmId: string, signal: AbortSignal): Promise<MachineState>;
  remove(vmId: string, signal: AbortSignal): Promise<MachineState>;
  observe(vmId: string, signal: AbortSignal): Promise<MachineState>;
  /** Machines and what they do, in the order of their ids, after `after`. */
  list(after: string | null, limit: number, signal: AbortSignal): Promise<ReadonlyMap<string, MachineState>>;
}

export const MACHINES = Symbol('machines');

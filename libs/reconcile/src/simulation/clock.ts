import type { Timers } from '../ports';

interface Appointment {
  readonly atMs: number;
  readonly run: () => void;
}

/** Lets everything that waits for no timer run to its end: the microtasks are drained before the next macrotask. */
export function drained(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/** Time that stands still while there is work, and then jumps to the next timer. */
export class VirtualClock implements Timers {
  private ms = Date.UTC(2026, 0, 1);
  private readonly appointments: Appointment[] = [];

  nowMs(): number {
    return this.ms;
  }

  after(ms: number, run: () => void): () => void {
    const appointment = { atMs: this.ms + Math.max(0, ms), run };
    const later = this.appointments.findIndex(({ atMs }) => atMs > appointment.atMs);
    this.appointments.splice(later < 0 ? this.appointments.length : later, 0, appointment);
    return () => {
      const at = this.appointments.indexOf(appointment);
      if (at >= 0) this.appointments.splice(at, 1);
    };
  }

  /** How many timers are set. */
  get pending(): number {
    return this.appointments.length;
  }

  /** Lets `ms` pass. */
  async advance(ms: number): Promise<void> {
    const untilMs = this.ms + ms;
    await drained();
    while (this.appointments.length > 0 && this.appointments[0]!.atMs <= untilMs) {
      const { atMs, run } = this.appointments.shift()!;
      this.ms = atMs;
      run();
      await drained();
    }
    this.ms = untilMs;
  }
}

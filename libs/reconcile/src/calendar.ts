import { Alarm } from './alarm';
import type { Timers } from './ports';

/** Dates this near to each other are one, the later: each of them costs a claim. */
const GRAIN_MS = 20;

/** Rings at the dates that were given to names, at most `GRAIN_MS` late. */
export class Calendar {
  private readonly dates = new Map<string, number>();
  private readonly alarm: Alarm;

  constructor(
    private readonly timers: Timers,
    private readonly ring: () => void,
  ) {
    this.alarm = new Alarm(timers, () => this.next());
  }

  /** Gives a name a date in `ms` instead of what it had. They are to be near: whoever asks keeps them within a horizon. */
  set(name: string, ms: number): void {
    const nowMs = this.timers.nowMs();
    const date = Math.ceil((nowMs + ms) / GRAIN_MS) * GRAIN_MS;
    this.dates.set(name, date);
    this.alarm.in(date - nowMs);
  }

  delete(name: string): void {
    this.dates.delete(name);
  }

  cancel(): void {
    this.alarm.cancel();
    this.dates.clear();
  }

  /** Timers may ring early, and dates may have been taken back. */
  private next(): void {
    const nowMs = this.timers.nowMs();
    let hasCome = false;
    let nextMs = Infinity;
    for (const [name, date] of this.dates) {
      if (date <= nowMs) hasCome = this.dates.delete(name);
      else nextMs = Math.min(nextMs, date);
    }
    if (nextMs < Infinity) this.alarm.in(nextMs - nowMs);
    if (hasCome) this.ring();
  }
}

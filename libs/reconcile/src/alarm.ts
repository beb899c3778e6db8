import type { Timers } from './ports';

/** Rings once, at the earliest of the times that were asked for since it last rang. */
export class Alarm {
  private atMs = Infinity;
  private cancelTimer: (() => void) | null = null;

  constructor(
    private readonly timers: Timers,
    private readonly ring: () => void,
  ) {}

  in(ms: number): void {
    const atMs = this.timers.nowMs() + ms;
    if (atMs >= this.atMs) return;
    this.cancel();
    this.atMs = atMs;
    this.cancelTimer = this.timers.after(ms, () => {
      this.atMs = Infinity;
      this.ring();
    });
  }

  cancel(): void {
    this.cancelTimer?.();
    this.atMs = Infinity;
  }
}

import type { Timers } from '../ports';

/**
 * One process's life: its timers, and its waiting for answers. Asleep, everything it waits for comes late; dead, none
 * of it ever comes, as when the memory is gone.
 */
export class Life implements Timers {
  private asleepUntilMs = 0;
  private over = false;

  constructor(private readonly clock: Timers) {}

  get dead(): boolean {
    return this.over;
  }

  nowMs(): number {
    return this.clock.nowMs();
  }

  after(ms: number, run: () => void): () => void {
    let cancel = (): void => undefined;
    const wake = (): void => {
      const lateMs = this.asleepUntilMs - this.clock.nowMs();
      if (this.over) return;
      if (lateMs > 0) cancel = this.clock.after(lateMs, wake);
      else run();
    };
    cancel = this.clock.after(ms, wake);
    return () => cancel();
  }

  /** Resolves after `ms` of a waking life. */
  pass(ms: number): Promise<void> {
    return new Promise((done) => this.after(ms, done));
  }

  sleep(ms: number): void {
    this.asleepUntilMs = this.clock.nowMs() + ms;
  }

  die(): void {
    this.over = true;
  }
}

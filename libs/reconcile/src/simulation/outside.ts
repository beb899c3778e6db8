import type { Dice } from './dice';
import type { Life } from './life';
import type { Troubles } from './wire';

/** The world beyond the database: it makes an image once per build, however often it is asked, but may be slow, fail or hang. */
export class Outside {
  readonly images = new Set<string>();

  constructor(
    private readonly dice: Dice,
    private readonly troubles: Troubles,
  ) {}

  async image(key: string, life: Life, signal: AbortSignal): Promise<void> {
    const { dice, troubles } = this;
    if (dice.chance(troubles.outsideHangs)) return this.hang(signal);
    await life.pass(dice.chance(0.2) ? dice.between(3000, 9000) : dice.between(5, 300));
    if (dice.chance(troubles.outsideFails)) throw new Error('the builder is out of order');
    this.images.add(key);
    if (dice.chance(troubles.outsideFails)) throw new Error('the builder made it, but its answer was lost');
  }

  /** For ever; half of the time it does not even hear the signal. */
  private hang(signal: AbortSignal): Promise<never> {
    const listens = this.dice.chance(0.5);
    return new Promise((_, refuse) => {
      if (listens) signal.addEventListener('abort', () => refuse(signal.reason as Error));
    });
  }
}

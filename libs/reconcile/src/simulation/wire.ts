import { Unavailable } from '../errors';
import type { VirtualClock } from './clock';
import type { Dice } from './dice';
import type { Life } from './life';

/** How likely each fault is, per call; all are zero once the troubles are over. */
export interface Troubles {
  outage: boolean;
  refused: number;
  lostAnswer: number;
  outsideFails: number;
  outsideHangs: number;
  nudgeLost: number;
  nudgeDoubled: number;
}

/** The line from a process to the database: slow, cut before a statement is carried out, or cut after it. */
export class Wire {
  constructor(
    private readonly life: Life,
    private readonly clock: VirtualClock,
    private readonly dice: Dice,
    private readonly troubles: Troubles,
  ) {}

  async call<T>(carryOut: () => T): Promise<T> {
    const { life, dice, troubles } = this;
    await new Promise<void>((arrived) => this.clock.after(dice.between(0, 8), arrived));
    // What a process sent before it died may arrive or not; what is answered reaches nobody.
    if (life.dead && dice.chance(0.5)) return new Promise(() => undefined);
    if (troubles.outage || dice.chance(troubles.refused)) return this.cut('before the statement');
    const answer = carryOut();
    if (dice.chance(troubles.lostAnswer)) return this.cut('after the statement');
    await life.pass(dice.between(0, 4));
    return answer;
  }

  private async cut(when: string): Promise<never> {
    await this.life.pass(2);
    throw new Unavailable(`the connection was cut ${when}`);
  }
}

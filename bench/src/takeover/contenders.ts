import * as bullmq from './bullmq';
import type { Contender } from './contender';
import * as ours from './homeostat';
import * as boss from './pg-boss';

/** Those that can be waited for. */
export const contenders = {
  ours: ours.defaults,
  oursFastest: ours.fastest,
  bullmq: bullmq.defaults,
  bullmqFastest: bullmq.fastest,
  bossFastest: boss.fastest,
} satisfies Record<string, Contender>;

export type ContenderName = keyof typeof contenders;

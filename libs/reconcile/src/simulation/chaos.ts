import type { Story } from './story';

const deployments = Array.from({ length: 12 }, (_, number) => `deployment ${number}`);
const trouble = ['crash', 'crash', 'sleep', 'sleep', 'outage', 'stop', 'pause', 'pauseKind'] as const;

/**
 * Users come, things break, and after `ms` all troubles end: everything paused is resumed, and three processes live.
 * Returns whether the outside world was among the troubles.
 */
export async function chaos(story: Story, ms: number): Promise<boolean> {
  const { dice, clock, troubles } = story;
  const endMs = clock.nowMs() + ms;
  Object.assign(troubles, { refused: 0.02, lostAnswer: 0.03, nudgeLost: 0.2, nudgeDoubled: 0.2 });
  const outsideFails = dice.chance(0.5);
  if (outsideFails) Object.assign(troubles, { outsideFails: 0.15, outsideHangs: 0.1 });
  plan(story, ms);
  while (clock.nowMs() < endMs) {
    await clock.advance(Math.min(dice.between(500, 6_000), endMs - clock.nowMs()));
    strike(story);
  }
  story.calmDown();
  while (story.processes.length < 3) story.start();
  return outsideFails;
}

/** When users create, change and remove. */
function plan(story: Story, ms: number): void {
  const { clock, dice } = story;
  const sometime = (from: number, run: () => Promise<void>): void =>
    void clock.after(dice.between(from, ms), () => void run());
  for (const key of [...deployments, 'poison'])
    clock.after(dice.between(0, ms / 3), () => void story.create('deployments', key));
  for (const key of ['stuck 1', 'stuck 2']) sometime(0, () => story.create('stalled', key));
  for (let wish = 0; wish < 20; wish++) sometime(ms / 3, () => story.wish(dice.pick(deployments)));
  for (const key of deployments.slice(0, 2)) sometime(ms / 3, () => story.remove(key));
}

function strike(story: Story): void {
  const { dice, clock, troubles, rows } = story;
  const soon = (least: number, most: number, run: () => void): void => void clock.after(dice.between(least, most), run);
  const key = dice.pick(deployments);
  switch (dice.pick(trouble)) {
    case 'crash':
      if (story.processes.length > 1) story.victim()?.life.die();
      return soon(500, 4_000, () => story.start());
    case 'stop':
      if (story.processes.length > 1) void story.victim()?.stop();
      return soon(500, 4_000, () => story.start());
    case 'sleep':
      return dice.pick(story.processes).life.sleep(dice.between(2_000, 20_000));
    case 'outage':
      troubles.outage = true;
      return soon(500, 6_000, () => (troubles.outage = false));
    case 'pause':
      return rows.pause('deployments', key);
    case 'pauseKind':
      rows.pausedKinds.add('builds');
      return soon(500, 6_000, () => rows.pausedKinds.clear());
  }
}

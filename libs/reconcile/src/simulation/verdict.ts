import { chaos } from './chaos';
import { Story } from './story';

/** What a seed's story came to; all lists are empty when every promise was kept. */
export interface Verdict {
  readonly seed: number;
  /** Not as it should be when time was up. */
  readonly unfinished: readonly string[];
  /** Promises broken on the way. */
  readonly broken: readonly string[];
  /** Effects that were committed more than once. */
  readonly twice: readonly string[];
  /** Looked at although long done. */
  readonly restless: readonly string[];
  /** From the end of the troubles until all was done. */
  readonly tookMs: number;
}

const troubledMs = 60_000;
/** A takeover takes up to 15 s (lease and poll), and the slowest of three more steps 9 s. */
const quickMs = 30_000;
/** A builder that hangs at the end is given up after 10 s, and one that often failed backs off for longer than that. */
const outsideMs = 60_000;

/** Tells a seed's story: a minute of troubles, then peace until all is done, then a while in which nothing may happen. */
export async function verdict(seed: number): Promise<Verdict> {
  const story = new Story(seed);
  const outsideFails = await chaos(story, troubledMs);
  const tookMs = await converged(story, outsideFails ? outsideMs : quickMs);
  const left = unfinished(story);
  await story.clock.advance(30_000);
  const before = new Map(story.looks);
  await story.clock.advance(20_000);
  const restless = [...story.looks].filter(([key, count]) => key !== 'poison' && count !== before.get(key));
  const twice = [...story.tables.effects].filter(([, times]) => times !== 1);
  return {
    seed,
    unfinished: left,
    broken: [...story.watch.broken, ...story.remarks()],
    twice: twice.map(([effect]) => effect),
    restless: restless.map(([key]) => key),
    tookMs,
  };
}

function unfinished({ tables, rows }: Story): string[] {
  const behind = rows.all('deployments').filter(({ key }) => {
    const thing = tables.get('deployments', key);
    return key !== 'poison' && (thing?.state !== 'ready' || thing.done !== thing.wanted);
  });
  const moving = rows.all('builds').filter(({ key }) => tables.get('builds', key)?.state !== 'ready');
  const unstalled = rows.all('stalled').filter(({ outcome }) => outcome !== 'stalled');
  return [...behind, ...moving, ...unstalled].map(({ kind, key, outcome }) => `${kind} ${key} is ${outcome}`);
}

async function converged(story: Story, withinMs: number): Promise<number> {
  const fromMs = story.clock.nowMs();
  while (unfinished(story).length > 0 && story.clock.nowMs() - fromMs < withinMs) await story.clock.advance(250);
  return story.clock.nowMs() - fromMs;
}

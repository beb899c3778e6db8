import { act, reach, settle, wait } from './decision';
import { StaleLeases, Stalled, Unavailable } from './errors';
import { drained } from './simulation/clock';
import { Gate, Stage } from './simulation/stage';

const change = () => act({ do: 'change' }, 'it must change', 'settled');
const ask = () => reach({ do: 'ask' }, 'nobody knows');
const outcomes = (stage: Stage) => Object.fromEntries(stage.looks.map(({ key, outcome }) => [key, outcome]));
const numbered = (count: number) => Array.from({ length: count }, (_, number) => `key ${number}`);

/** Nothing is known before the reach; afterwards its answer is. */
const decideOnAnswer = (observed: string) => (observed.startsWith('answer') ? settle(observed) : ask());

describe('a short pass', () => {
  it('commits a batch in one transaction', async () => {
    const batches: number[] = [];
    const stage = new Stage({ decide: change, act: async (plans) => (batches.push(plans.length), new Set(plans.map(({ key }) => key))) });
    await stage.look('a', 'b', 'c');
    expect(batches).toEqual([3]);
    expect(outcomes(stage)).toEqual({ a: 'acted', b: 'acted', c: 'acted' });
  });

  it('renews no lease that its commit has handed back', async () => {
    const stage = new Stage({});
    const renew = jest.spyOn(stage.notebook, 'renew');
    await stage.look('a');
    await stage.clock.advance(20_000);
    expect(renew).not.toHaveBeenCalled();
  });

  it('goes on, batch after batch, until none is due', async () => {
    const stage = new Stage({});
    await stage.look(...numbered(11));
    expect(stage.looks).toHaveLength(11);
  });

  it('isolates a key whose write fails; the rest of the batch commits', async () => {
    const stage = new Stage({
      decide: change,
      async act(plans) {
        if (plans.some(({ key }) => key === 'c')) throw new Error('poison');
        return new Set(plans.map(({ key }) => key));
      },
    });
    await stage.look('a', 'b', 'c', 'd');
    expect(outcomes(stage)).toEqual({ a: 'acted', b: 'acted', c: 'failed', d: 'acted' });
    expect(stage.row('c')).toEqual({ outcome: 'failed', failures: 1, inMs: 375, leased: false });
    expect(stage.faults.map(({ key, doing }) => [key, doing])).toEqual([['c', 'change']]);
  });

  it('isolates a key that cannot be read', async () => {
    const observe = async (keys: readonly string[]) => {
      if (keys.includes('b')) throw new Error('unreadable');
      return new Map(keys.map((key) => [key, key]));
    };
    const stage = new Stage({ observe });
    await stage.look('a', 'b', 'c');
    expect(outcomes(stage)).toEqual({ a: 'settled', b: 'failed', c: 'settled' });
  });

  it('isolates a key on which the decision throws', async () => {
    const stage = new Stage({ decide: (key: string) => (key === 'b' ? JSON.parse('{') : settle('all is well')) });
    await stage.look('a', 'b', 'c');
    expect(outcomes(stage)).toEqual({ a: 'settled', b: 'failed', c: 'settled' });
  });

  it('commits the rest of a batch even when a failure cannot be written down', async () => {
    const stage = new Stage({});
    const { record } = stage.notebook;
    jest.spyOn(stage.notebook, 'record').mockImplementation((unit, kind, results) => {
      if (results.some(({ lease }) => lease.key === 'a')) throw new Error('not a text that a database takes');
      record.call(stage.notebook, unit, kind, results);
    });
    await stage.look('a', 'b', 'c');
    expect(outcomes(stage)).toEqual({ b: 'settled', c: 'settled' });
    await stage.clock.advance(8_000);
    expect(stage.rows.find('things', 'a')!.until).toBeLessThanOrEqual(stage.clock.nowMs());
  });

  it('retries at once when the row had changed, and backs off when that happens again', async () => {
    const stage = new Stage({ decide: change, act: async () => new Set() }, { horizonMs: 0 });
    await stage.look('a');
    expect(stage.looks.map(({ outcome }) => outcome)).toEqual(['conflict', 'conflict']);
    expect(stage.row('a')).toMatchObject({ failures: 2, inMs: 375 });
  });

  it('forgets the failures after a success', async () => {
    let broken = true;
    const act = async () => (broken ? Promise.reject(new Error('broken')) : new Set(['a']));
    const stage = new Stage({ decide: change, act }, { horizonMs: 0 });
    await stage.look('a');
    broken = false;
    await stage.look('a');
    expect(stage.row('a')).toMatchObject({ outcome: 'acted', failures: 0 });
  });

  it('waits for a person when an act says that no retry can help', async () => {
    const stage = new Stage({ decide: change, act: () => Promise.reject(new Stalled('refused', 'ask for more quota')) });
    await stage.look('a');
    expect(stage.looks).toMatchObject([{ outcome: 'stalled', because: 'refused', fix: 'ask for more quota' }]);
    expect(stage.row('a')).toMatchObject({ inMs: null, failures: 0 });
  });

  it('forgets what is gone', async () => {
    const stage = new Stage({ observe: async () => new Map() });
    await stage.look('a');
    expect(outcomes(stage)).toEqual({ a: 'gone' });
    expect(stage.row('a')).toBeUndefined();
  });

  it('looks once more when a change comes during the pass, even if its nudge came too early', async () => {
    const gate = new Gate();
    const act = jest.fn(async () => (await gate.passed, new Set(['a'])));
    const stage = new Stage({ decide: change, act });
    await stage.look('a');
    await stage.look('a');
    expect(act).toHaveBeenCalledTimes(1);
    gate.open();
    await drained();
    expect(act).toHaveBeenCalledTimes(2);
  });

  it('runs no more passes at once than it may', async () => {
    const gate = new Gate();
    const observe = jest.fn(async (keys: readonly string[]) => (await gate.passed, new Map(keys.map((key) => [key, key]))));
    const stage = new Stage({ observe }, { passes: 2 });
    await stage.look(...numbered(12));
    for (let nudge = 0; nudge < 5; nudge++) stage.loop.nudge('things');
    await drained();
    expect(observe).toHaveBeenCalledTimes(2);
    gate.open();
    await drained();
    expect(stage.looks).toHaveLength(12);
  });
});

describe('a lease that others have taken over', () => {
  it('writes nothing, and the rest of its batch commits', async () => {
    const gate = new Gate();
    const acts: string[][] = [];
    const stage = new Stage({
      decide: change,
      async act(plans, unit) {
        await gate.passed;
        acts.push(plans.map(({ key }) => key));
        for (const { key } of plans) unit.set('written', key, { state: 'there', wanted: 0, done: 0 }, `${key} is written`);
        return new Set(plans.map(({ key }) => key));
      },
    });
    await stage.look('a', 'b', 'c');
    stage.rows.find('things', 'b')!.epoch += 1;
    gate.open();
    await drained();
    expect(acts).toEqual([['a', 'b', 'c'], ['a', 'c']]);
    expect([...stage.tables.effects.keys()]).toEqual(['a is written', 'c is written']);
    expect(outcomes(stage)).toEqual({ a: 'acted', c: 'acted' });
    expect(stage.faults).toEqual([]);
  });

  it('is no longer renewed', async () => {
    const stage = new Stage({ decide: change, act: async () => Promise.reject(new StaleLeases(['a'])) });
    await stage.look('a');
    const renew = jest.spyOn(stage.notebook, 'renew');
    await stage.clock.advance(20_000);
    expect(renew).not.toHaveBeenCalled();
  });

  it('calls back what reaches out under it', async () => {
    let signal!: AbortSignal;
    const stage = new Stage({ decide: ask, reach: (_, given) => ((signal = given), new Promise(() => undefined)) });
    await stage.look('a');
    stage.rows.find('things', 'a')!.epoch += 1;
    await stage.clock.advance(3_000);
    expect(signal.aborted).toBe(true);
    expect([stage.looks, stage.faults]).toEqual([[], []]);
  });

  it('calls back what reaches out under it when the same process leases the key again', async () => {
    const signals: AbortSignal[] = [];
    const stage = new Stage({ decide: ask, reach: (_, signal) => (signals.push(signal), new Promise(() => undefined)) });
    jest.spyOn(stage.notebook, 'renew').mockRejectedValue(new Unavailable('away'));
    await stage.look('a');
    await stage.clock.advance(8_001);
    await stage.look();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});

describe('a pass without a database', () => {
  it('blames no key, and leaves the leases to run out', async () => {
    const stage = new Stage({ decide: change, act: () => Promise.reject(new Unavailable('away')) });
    await stage.look('a', 'b');
    expect(stage.looks).toEqual([]);
    expect(stage.faults.map(({ key, doing }) => [key, doing])).toEqual([[null, 'pass']]);
    expect(stage.row('a')).toMatchObject({ outcome: null, failures: 0, leased: true });
    await stage.clock.advance(8_000);
    expect((await stage.notebookOf('another').claim('things', 9, 1)).map(({ key }) => key)).toEqual(['a', 'b']);
  });

  it('keeps the leases of what reaches out meanwhile', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({
      decide: (observed: string) => (observed === 'b' ? decideOnAnswer(observed) : observed === 'a' ? change() : settle(observed)),
      act: () => Promise.reject(new Unavailable('away')),
      reach: () => gate.passed,
    });
    await stage.look('a', 'b');
    await stage.clock.advance(9_000);
    gate.open('answer');
    await drained();
    expect(stage.looks).toMatchObject([{ key: 'b', outcome: 'settled' }]);
  });

  it('goes on when the claim itself has failed', async () => {
    const stage = new Stage({});
    jest.spyOn(stage.notebook, 'claim').mockRejectedValueOnce(new Unavailable('away'));
    await stage.look('a');
    await stage.look();
    expect(outcomes(stage)).toEqual({ a: 'settled' });
  });
});

describe('a long look', () => {
  it('decides again on what the outside answers, in the same pass', async () => {
    const stage = new Stage({ decide: decideOnAnswer, reach: async () => 'answer' });
    await stage.look('a');
    expect(stage.looks).toMatchObject([{ key: 'a', outcome: 'settled', because: 'answer' }]);
  });

  it('looks at once again when the answer asks for another reach', async () => {
    const answers = ['not yet', 'answer'];
    const stage = new Stage({ decide: decideOnAnswer, reach: async () => answers.shift()! });
    await stage.look('a');
    expect(stage.looks).toMatchObject([{ outcome: 'acted', step: 'ask' }, { outcome: 'settled' }]);
  });

  it('is given up at its deadline, even if the outside ignores the signal', async () => {
    const stage = new Stage({ decide: ask, reaches: { atOnce: 1, timeoutMs: 2_000 }, reach: () => new Promise(() => undefined) });
    await stage.look('a');
    await stage.clock.advance(2_000);
    expect(stage.looks).toMatchObject([{ outcome: 'failed', because: 'ask of a: no answer within 2000 ms' }]);
    expect(stage.row('a')).toMatchObject({ failures: 1, leased: false });
  });

  it('keeps its lease by heartbeats for as long as it takes', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({ decide: decideOnAnswer, reaches: { atOnce: 1, timeoutMs: 60_000 }, reach: () => gate.passed });
    await stage.look('a');
    await stage.clock.advance(50_000);
    expect(await stage.notebookOf('another').claim('things', 9, 1)).toEqual([]);
    gate.open('answer');
    await drained();
    expect(outcomes(stage)).toEqual({ a: 'settled' });
    expect(stage.row('a')).toMatchObject({ leased: false });
    expect(stage.clock.pending).toBeLessThanOrEqual(1);
  });

  it('outlives a heartbeat that failed', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({ decide: decideOnAnswer, reach: () => gate.passed });
    jest.spyOn(stage.notebook, 'renew').mockRejectedValueOnce(new Unavailable('away'));
    await stage.look('a');
    await stage.clock.advance(20_000);
    gate.open('answer');
    await drained();
    expect(outcomes(stage)).toEqual({ a: 'settled' });
  });

  it('shares the bound on reaches with all other passes of its kind', async () => {
    const gates: Gate<string>[] = [];
    const reachOut = () => gates[gates.push(new Gate<string>()) - 1]!.passed;
    const stage = new Stage({ decide: decideOnAnswer, reaches: { atOnce: 3, timeoutMs: 60_000 }, reach: reachOut });
    await stage.look(...numbered(7));
    expect(gates).toHaveLength(3);
    gates[0]!.open('answer');
    gates[1]!.open('answer');
    await drained();
    expect(gates).toHaveLength(5);
    for (let next = 2; next < 7; next++) {
      gates[next]!.open('answer');
      await drained();
    }
    expect(stage.looks).toHaveLength(7);
  });

  it('holds up no other look of its batch', async () => {
    const decide = (key: string) => (key === 'slow' ? ask() : settle('all is well'));
    const stage = new Stage({ decide, reach: () => new Promise(() => undefined) });
    await stage.look('slow', 'quick');
    expect(outcomes(stage)).toEqual({ quick: 'settled' });
  });

  it('looks once more when a change comes during the reach', async () => {
    const gate = new Gate<string>();
    const reachOut = jest.fn(() => gate.passed);
    const stage = new Stage({ decide: decideOnAnswer, reach: reachOut });
    await stage.look('a');
    await stage.look('a');
    gate.open('answer');
    await drained();
    expect(stage.looks).toHaveLength(2);
  });

  it('does not reach out under a lease that was lost during the look', async () => {
    const gate = new Gate();
    const reachOut = jest.fn(() => new Promise<never>(() => undefined));
    const observe = async (keys: readonly string[]) => (await gate.passed, new Map(keys.map((key) => [key, key])));
    const stage = new Stage({ observe, decide: ask, reaches: { atOnce: 1, timeoutMs: 1_000 }, reach: reachOut });
    await stage.look('a');
    stage.rows.find('things', 'a')!.epoch += 1;
    await stage.clock.advance(3_000);
    gate.open();
    await drained();
    expect(reachOut).not.toHaveBeenCalled();
    stage.rows.find('things', 'a')!.until = null;
    await stage.look();
    expect(reachOut).toHaveBeenCalledTimes(1);
  });
});

describe('the next look', () => {
  const waitFor = (ms: number) => (_: string, now: Date) => wait('it is early', new Date(now.getTime() + ms));

  it('comes by a timer of its own when it is near', async () => {
    const stage = new Stage({ decide: waitFor(4_000) });
    await stage.look('a');
    await stage.clock.advance(3_999);
    expect(stage.looks).toHaveLength(1);
    await stage.clock.advance(1);
    expect(stage.looks).toHaveLength(2);
  });

  it('comes by the poll when it is beyond the horizon', async () => {
    const stage = new Stage({ decide: waitFor(15_000) });
    await stage.look('a');
    expect(stage.clock.pending).toBeLessThanOrEqual(1);
    await stage.clock.advance(15_000);
    expect(stage.looks).toHaveLength(1);
    await stage.loop.poll();
    await drained();
    expect(stage.looks).toHaveLength(2);
  });
});

describe('a shutdown', () => {
  const hang = { decide: ask, reach: () => new Promise<never>(() => undefined) };

  it('hands back at once the lease of what reaches out, due for whoever comes next', async () => {
    const stage = new Stage(hang);
    await stage.look('a');
    await stage.loop.stop(1_000);
    expect(stage.row('a')).toEqual({ outcome: null, failures: 0, inMs: 0, leased: false });
    expect([stage.looks, stage.faults]).toEqual([[], []]);
    expect(stage.clock.pending).toBe(0);
  });

  it('lets a pass commit within the grace', async () => {
    const gate = new Gate();
    const stage = new Stage({ decide: change, act: async () => (await gate.passed, new Set(['a'])) });
    await stage.look('a');
    const stopped = stage.loop.stop(1_000);
    await stage.clock.advance(500);
    gate.open();
    await stopped;
    expect(outcomes(stage)).toEqual({ a: 'acted' });
    expect(stage.clock.pending).toBe(0);
  });

  it('hands back what is not committed when the grace is over', async () => {
    const stage = new Stage({ decide: change, act: () => new Promise(() => undefined) });
    await stage.look('a');
    const stopped = stage.loop.stop(1_000);
    await stage.clock.advance(999);
    expect(stage.row('a')).toMatchObject({ leased: true });
    await stage.clock.advance(1);
    await stopped;
    expect(stage.row('a')).toMatchObject({ leased: false, inMs: -1_000 });
  });

  it('hands back what a claim brings that was under way', async () => {
    const gate = new Gate();
    const stage = new Stage({ decide: change });
    const { claim } = stage.notebook;
    jest.spyOn(stage.notebook, 'claim').mockImplementation(async (...wanted) => {
      const leases = await claim.apply(stage.notebook, wanted);
      return gate.passed.then(() => leases);
    });
    await stage.look('a');
    const stopped = stage.loop.stop(1_000);
    gate.open();
    await stopped;
    expect(stage.looks).toEqual([]);
    expect(stage.row('a')).toMatchObject({ leased: false, inMs: 0 });
  });

  it('starts nothing new', async () => {
    const stage = new Stage({ decide: (_: string, now: Date) => wait('it is early', new Date(now.getTime() + 4_000)) });
    await stage.look('a');
    await stage.loop.stop(1_000);
    const claim = jest.spyOn(stage.notebook, 'claim');
    await stage.look('a', 'b');
    await stage.loop.poll();
    await drained();
    expect(claim).not.toHaveBeenCalled();
    expect(stage.clock.pending).toBe(0);
  });
});

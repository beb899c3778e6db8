import { act, settle, wait } from './decision';
import { Stalled, Unavailable } from './errors';
import { drained } from './simulation/clock';
import { Gate, Stage } from './simulation/stage';

const change = () => act({ do: 'change' }, 'it must change', 'settled');
const outcomes = (stage: Stage) => Object.fromEntries(stage.looks.map(({ key, outcome }) => [key, outcome]));
/** Sees all keys, once the gate is open. */
const once = (gate: Gate) => async (keys: readonly string[]) => (
  await gate.passed,
  new Map(keys.map((key) => [key, key]))
);
const numbered = (count: number) => Array.from({ length: count }, (_, number) => `key ${number}`);

describe('a short pass', () => {
  it('commits a batch in one transaction', async () => {
    const batches: number[] = [];
    const stage = new Stage({
      decide: change,
      act: async (plans) => (batches.push(plans.length), new Set(plans.map(({ key }) => key))),
    });
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

  it('claims the next batch along with the end of the one before', async () => {
    const stage = new Stage({}, { passes: 1 });
    const claim = jest.spyOn(stage.notebook, 'claim');
    await stage.look(...numbered(11));
    expect(stage.looks).toHaveLength(11);
    expect(claim).toHaveBeenCalledTimes(1);
  });

  it('goes on at once with what was wished for by others while it was held, and nobody told of', async () => {
    const gate = new Gate();
    const stage = new Stage({ observe: once(gate) });
    await stage.look('a');
    stage.due('a');
    const claim = jest.spyOn(stage.notebook, 'claim');
    gate.open();
    await drained();
    expect(stage.looks).toHaveLength(2);
    expect(claim).not.toHaveBeenCalled();
  });

  it('goes on with a step that wants another look at once, without a claim of its own', async () => {
    let steps = 0;
    const decide = () => ((steps += 1) < 3 ? act({ do: 'change' }, 'it must change', 'now') : settle('all is well'));
    const stage = new Stage({ decide });
    const [claim, claimLooks] = [jest.spyOn(stage.notebook, 'claim'), jest.spyOn(stage.rows, 'claimLooks')];
    await stage.look('a');
    expect(stage.looks.map(({ outcome }) => outcome)).toEqual(['acted', 'acted', 'settled']);
    expect([claim, claimLooks].map(({ mock }) => mock.calls.length)).toEqual([1, 3]);
  });

  it('claims nothing at the end of a pass that leaves nothing due', async () => {
    const stage = new Stage({});
    const claimLooks = jest.spyOn(stage.rows, 'claimLooks');
    await stage.look('a');
    expect(claimLooks).toHaveBeenCalledTimes(1);
  });

  it('claims by itself where the end of a pass had nothing left to write', async () => {
    const stage = new Stage({}, { passes: 1 });
    const { transaction } = stage.notebook;
    jest.spyOn(stage.notebook, 'transaction').mockImplementationOnce((work) => {
      for (const row of stage.rows.all('things')) row.epoch += 1;
      return transaction.call(stage.notebook, work);
    });
    await stage.look(...numbered(5));
    expect(outcomes(stage)).toEqual({ 'key 4': 'settled' });
  });

  it.each(['a', 'b', 'c'])('claims along with the last part of a batch: %s was wished for meanwhile', async (key) => {
    const [gate, poison] = [new Gate(), 'b'];
    const stage = new Stage(
      {
        observe: async (keys) => (await gate.passed, new Map(keys.map((one) => [one, one]))),
        decide: change,
        act: async (plans) => {
          if (plans.some((plan) => plan.key === poison)) throw new Error('poison');
          return new Set(plans.map((plan) => plan.key));
        },
      },
      { horizonMs: 0 },
    );
    stage.due('a', 'b', 'c');
    stage.rows.find('things', 'a')!.failures = 1;
    await stage.look();
    stage.due(key);
    gate.open();
    await drained();
    expect(stage.looks.filter((look) => look.key === key)).toHaveLength(2);
  });

  it('claims by itself where the last part of a batch is lost', async () => {
    const gate = new Gate();
    const stage = new Stage({ observe: once(gate) });
    stage.due('a', 'b');
    stage.rows.find('things', 'b')!.failures = 1;
    await stage.look();
    stage.due('a');
    stage.rows.find('things', 'b')!.epoch += 1;
    gate.open();
    await drained();
    expect(stage.looks.map(({ key }) => key)).toEqual(['a', 'a']);
  });

  it('asks for more after a commit that failed', async () => {
    const gate = new Gate();
    const stage = new Stage({ observe: once(gate) });
    await stage.look('a');
    stage.due('b');
    jest.spyOn(stage.notebook, 'transaction').mockRejectedValueOnce(new Unavailable('away'));
    gate.open();
    await drained();
    expect(outcomes(stage)).toEqual({ b: 'settled' });
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
    jest.spyOn(stage.notebook, 'record').mockImplementation((unit, kind, results, next) => {
      if (results.some(({ lease }) => lease.key === 'a')) throw new Error('not a text that a database takes');
      record.call(stage.notebook, unit, kind, results, next);
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
    const stage = new Stage({
      decide: change,
      act: () => Promise.reject(new Stalled('refused', 'ask for more quota')),
    });
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
    const observe = jest.fn(
      async (keys: readonly string[]) => (await gate.passed, new Map(keys.map((key) => [key, key]))),
    );
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

  it('comes by a timer for each of several that are near', async () => {
    const decide = (key: string, now: Date) => wait('it is early', new Date(now.getTime() + Number(key) * 1_000));
    const stage = new Stage({ decide });
    await stage.look('3', '7', '5');
    await stage.clock.advance(5_500);
    expect(stage.looks.slice(3).map(({ key }) => key)).toEqual(['3', '5']);
    await stage.clock.advance(2_000);
    expect(stage.looks.slice(3).map(({ key }) => key)).toEqual(['3', '5', '3', '7']);
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

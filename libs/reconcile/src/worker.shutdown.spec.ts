import { act, reach, wait } from './decision';
import { drained } from './simulation/clock';
import { Gate, Stage } from './simulation/stage';

const change = () => act({ do: 'change' }, 'it must change', 'settled');
const ask = () => reach({ do: 'ask' }, 'nobody knows');
const outcomes = (stage: Stage) => Object.fromEntries(stage.looks.map(({ key, outcome }) => [key, outcome]));

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

  it('hands back what the end of a pass claims along', async () => {
    const stage = new Stage({ decide: change }, { batch: 1, passes: 1 });
    const { record } = stage.notebook;
    let stopped: Promise<void> | undefined;
    jest.spyOn(stage.notebook, 'record').mockImplementation((...given) => {
      record.apply(stage.notebook, given);
      stopped = stage.loop.stop(1_000);
    });
    await stage.look('a', 'b');
    await stopped;
    expect(outcomes(stage)).toEqual({ a: 'acted' });
    expect(stage.row('b')).toMatchObject({ leased: false, inMs: 0 });
    expect(stage.clock.pending).toBe(0);
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

import { act, reach, settle } from './decision';
import { StaleLeases, Unavailable } from './errors';
import { drained } from './simulation/clock';
import { Gate, Stage } from './simulation/stage';

const change = () => act({ do: 'change' }, 'it must change', 'settled');
const ask = () => reach({ do: 'ask' }, 'nobody knows');
const outcomes = (stage: Stage) => Object.fromEntries(stage.looks.map(({ key, outcome }) => [key, outcome]));

/** Nothing is known before the reach; afterwards its answer is. */
const decideOnAnswer = (observed: string) => (observed.startsWith('answer') ? settle(observed) : ask());

describe('a lease that others have taken over', () => {
  it('writes nothing, and the rest of its batch commits', async () => {
    const gate = new Gate();
    const acts: string[][] = [];
    const stage = new Stage({
      decide: change,
      async act(plans, unit) {
        await gate.passed;
        acts.push(plans.map(({ key }) => key));
        for (const { key } of plans)
          unit.set('written', key, { state: 'there', wanted: 0, done: 0 }, `${key} is written`);
        return new Set(plans.map(({ key }) => key));
      },
    });
    await stage.look('a', 'b', 'c');
    stage.rows.find('things', 'b')!.epoch += 1;
    gate.open();
    await drained();
    expect(acts).toEqual([
      ['a', 'b', 'c'],
      ['a', 'c'],
    ]);
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
    const stage = new Stage({
      decide: ask,
      reach: (_, signal) => (signals.push(signal), new Promise(() => undefined)),
    });
    jest.spyOn(stage.notebook, 'renew').mockRejectedValue(new Unavailable('away'));
    await stage.look('a');
    await stage.clock.advance(8_001);
    await stage.look();
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false]);
  });
});

describe('a pass without a database', () => {
  const away = () => Promise.reject(new Unavailable('away'));

  it('blames no key, and hands the leases back once the database answers', async () => {
    const stage = new Stage({
      decide: change,
      act: jest.fn(async () => new Set(['a', 'b'])).mockImplementationOnce(away),
    });
    const release = jest.spyOn(stage.notebook, 'release').mockImplementationOnce(away);
    await stage.look('a', 'b');
    expect(stage.looks).toEqual([]);
    expect(stage.faults.map(({ key, doing }) => [key, doing])).toEqual([[null, 'pass']]);
    expect(stage.row('a')).toMatchObject({ outcome: null, failures: 0, leased: true });
    await stage.clock.advance(1_999);
    expect([release.mock.calls.length, stage.row('a')!.leased]).toEqual([1, true]);
    await stage.clock.advance(1);
    expect(outcomes(stage)).toEqual({ a: 'acted', b: 'acted' });
    expect(stage.clock.pending).toBe(0);
  });

  it('asks no longer than the leases last', async () => {
    const stage = new Stage({ decide: change, act: away });
    const release = jest.spyOn(stage.notebook, 'release').mockImplementation(away);
    await stage.look('a');
    await stage.clock.advance(60_000);
    expect([release.mock.calls.length, stage.clock.pending]).toEqual([7, 0]);
    expect((await stage.notebookOf('another').claim('things', 9, 1)).map(({ key }) => key)).toEqual(['a']);
  });

  it('hands nothing back that had been committed all the same, or that another process has', async () => {
    const stage = new Stage({ decide: change, act: away });
    await stage.look('a');
    await stage.clock.advance(500);
    Object.assign(stage.rows.find('things', 'a')!, { epoch: 2, holder: 'another' });
    await stage.clock.advance(7_000);
    expect(stage.row('a')).toMatchObject({ outcome: null, leased: true });
  });

  it('hands the leases back when it is told to stop', async () => {
    const stage = new Stage({ decide: change, act: away });
    await stage.look('a');
    await stage.loop.stop(1_000);
    expect(stage.row('a')).toMatchObject({ leased: false });
    expect(stage.clock.pending).toBe(0);
  });

  it('keeps the leases of what reaches out meanwhile', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({
      decide: (observed: string) =>
        observed === 'b' ? decideOnAnswer(observed) : observed === 'a' ? change() : settle(observed),
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

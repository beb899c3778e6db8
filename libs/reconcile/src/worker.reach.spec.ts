import { act, reach, settle } from './decision';
import { Unavailable } from './errors';
import { drained } from './simulation/clock';
import { Gate, Stage } from './simulation/stage';

const ask = () => reach({ do: 'ask' }, 'nobody knows');
const outcomes = (stage: Stage) => Object.fromEntries(stage.looks.map(({ key, outcome }) => [key, outcome]));
const numbered = (count: number) => Array.from({ length: count }, (_, number) => `key ${number}`);

/** Nothing is known before the reach; afterwards its answer is. */
const decideOnAnswer = (observed: string) => (observed.startsWith('answer') ? settle(observed) : ask());

describe('a long look', () => {
  it('decides again on what the outside answers, in the same pass', async () => {
    const stage = new Stage({ decide: decideOnAnswer, reach: async () => 'answer' });
    await stage.look('a');
    expect(stage.looks).toMatchObject([{ key: 'a', outcome: 'settled', because: 'answer' }]);
  });

  it('is written down together with what else comes to its end, and claims what was wished for meanwhile', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({ decide: decideOnAnswer, reach: () => gate.passed });
    await stage.look('a', 'b', 'c');
    stage.due('a', 'b', 'c');
    const [transaction, claim] = [jest.spyOn(stage.notebook, 'transaction'), jest.spyOn(stage.notebook, 'claim')];
    gate.open('answer');
    await drained();
    expect(stage.looks).toHaveLength(6);
    expect(transaction.mock.calls.length).toBeLessThan(6);
    expect(claim).not.toHaveBeenCalled();
  });

  it('is looked at again at once when it was wished for meanwhile, however many come back together', async () => {
    const gates = new Map<string, Gate<string>>();
    const stage = new Stage({
      decide: decideOnAnswer,
      reach: ({ key }) => gates.set(key, new Gate()).get(key)!.passed,
    });
    await stage.look(...numbered(8));
    await stage.look('key 7');
    for (const gate of [...gates.values()]) gate.open('answer');
    await drained();
    gates.get('key 7')!.open('answer');
    await drained();
    expect(stage.looks.filter(({ key }) => key === 'key 7')).toHaveLength(2);
  });

  it('spoils no look that this process has begun anew since its lease ran out', async () => {
    const [reached, seen, acted] = [new Gate<string>(), new Gate(), new Gate()];
    let looks = 0;
    const stage = new Stage({
      observe: async (keys) => (keys.includes('slow') && (await seen.passed), new Map(keys.map((key) => [key, key]))),
      decide(observed: string) {
        if (observed === 'slow') return act({ do: 'change' }, 'it must change', 'settled');
        return observed === 'a' && looks++ === 0 ? ask() : settle(observed);
      },
      reach: () => reached.passed,
      act: async (plans) => (await acted.passed, new Set(plans.map(({ key }) => key))),
    });
    jest.spyOn(stage.notebook, 'renew').mockRejectedValue(new Unavailable('away'));
    await stage.look('a');
    await stage.clock.advance(7_000);
    await stage.look('slow');
    await stage.look();
    seen.open();
    await drained();
    reached.open('answer');
    await stage.clock.advance(1_500);
    acted.open();
    await drained();
    expect(outcomes(stage)).toEqual({ slow: 'acted', a: 'settled' });
  });

  it('looks at once again when the answer asks for another reach', async () => {
    const answers = ['not yet', 'answer'];
    const stage = new Stage({ decide: decideOnAnswer, reach: async () => answers.shift()! });
    await stage.look('a');
    expect(stage.looks).toMatchObject([{ outcome: 'acted', step: 'ask' }, { outcome: 'settled' }]);
  });

  it('is given up at its deadline, even if the outside ignores the signal', async () => {
    const stage = new Stage({
      decide: ask,
      reaches: { atOnce: 1, timeoutMs: 2_000 },
      reach: () => new Promise(() => undefined),
    });
    await stage.look('a');
    await stage.clock.advance(2_000);
    expect(stage.looks).toMatchObject([{ outcome: 'failed', because: 'ask of a: no answer within 2000 ms' }]);
    expect(stage.row('a')).toMatchObject({ failures: 1, leased: false });
  });

  it('keeps its lease by heartbeats for as long as it takes', async () => {
    const gate = new Gate<string>();
    const stage = new Stage({
      decide: decideOnAnswer,
      reaches: { atOnce: 1, timeoutMs: 60_000 },
      reach: () => gate.passed,
    });
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

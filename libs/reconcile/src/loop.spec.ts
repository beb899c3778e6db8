import { act, settle, wait } from './decision';
import { Unavailable } from './errors';
import { drained } from './simulation/clock';
import { Stage } from './simulation/stage';

const keysOf = (stage: Stage) => stage.looks.map(({ key }) => key);

describe('the poll', () => {
  it('finds what is due without a nudge', async () => {
    const stage = new Stage({});
    stage.due('a');
    await stage.loop.poll();
    await drained();
    expect(keysOf(stage)).toEqual(['a']);
  });

  it('sets a timer for what is due soon', async () => {
    const stage = new Stage({});
    stage.rows.requestLook('things', ['a'], stage.clock.nowMs() + 2_000);
    await stage.loop.poll();
    await stage.clock.advance(1_999);
    expect(stage.looks).toEqual([]);
    await stage.clock.advance(1);
    expect(stage.looks).toHaveLength(1);
  });

  it('survives a database that is away', async () => {
    const stage = new Stage({});
    jest.spyOn(stage.notebook, 'due').mockRejectedValueOnce(new Unavailable('away'));
    await stage.loop.poll();
    expect(stage.faults).toMatchObject([{ kind: '*', doing: 'poll' }]);
  });

  it('leaves a nudge for a kind that others drive alone', async () => {
    const stage = new Stage({});
    stage.due('a');
    stage.loop.nudge('strangers');
    await drained();
    expect(stage.looks).toEqual([]);
  });
});

describe('the audit', () => {
  const overlook = (stage: Stage, ...keys: string[]): void => {
    stage.due(...keys);
    for (const key of keys) stage.rows.find('things', key)!.dueAt = null;
  };
  const change = () => act({ do: 'change' }, 'it must change', 'settled');

  it('finds, slice by slice, what should be due but is not', async () => {
    const stage = new Stage({ decide: change });
    overlook(stage, 'a', 'b', 'c', 'd', 'e');
    await stage.loop.audit();
    await drained();
    expect(keysOf(stage)).toEqual(['a', 'b']);
    await stage.loop.audit();
    await stage.loop.audit();
    await drained();
    expect(keysOf(stage)).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('starts over at the end', async () => {
    const stage = new Stage({ decide: change });
    stage.due('a');
    await stage.loop.audit();
    overlook(stage, 'a');
    await stage.loop.audit();
    await drained();
    expect(keysOf(stage)).toEqual(['a']);
  });

  it('finds a resource that has no row in the notebook at all', async () => {
    const stage = new Stage({ decide: change });
    stage.tables.set('things a', { state: 'there', wanted: 0, done: 0 });
    await stage.loop.audit();
    await drained();
    expect(keysOf(stage)).toEqual(['a']);
  });

  it('leaves alone what is settled, paused, or already due', async () => {
    const stage = new Stage(
      { decide: (key: string) => (key === 'a' ? settle('all is well') : change()) },
      { auditSlice: 9 },
    );
    overlook(stage, 'a');
    stage.due('b', 'c');
    stage.rows.pause('things', 'b');
    const request = jest.spyOn(stage.notebook, 'request');
    await stage.loop.audit();
    expect(request).not.toHaveBeenCalled();
  });

  it('survives a slice that cannot be read', async () => {
    const stage = new Stage({ observe: () => Promise.reject(new Unavailable('away')) });
    overlook(stage, 'a');
    await stage.loop.audit();
    expect(stage.faults).toMatchObject([{ kind: 'things', doing: 'audit' }]);
  });
});

describe('a pause', () => {
  it('means no look, whoever asks for one, until it ends', async () => {
    const stage = new Stage({});
    stage.due('a');
    stage.rows.pause('things', 'a');
    await stage.look('a');
    await stage.loop.poll();
    await stage.clock.advance(60_000);
    expect(stage.looks).toEqual([]);
    stage.rows.resume('things', 'a', stage.clock.nowMs());
    await stage.look();
    expect(keysOf(stage)).toEqual(['a']);
  });

  it('that comes during a pass lets it commit, and no other follows', async () => {
    const stage: Stage = new Stage({
      decide: () => act({ do: 'change' }, 'it must change'),
      async act(plans) {
        stage.rows.pause('things', 'a');
        return new Set(plans.map(({ key }) => key));
      },
    });
    await stage.look('a');
    await stage.clock.advance(60_000);
    expect(stage.looks).toHaveLength(1);
  });
});

describe('the order of looks', () => {
  it('is changes first, yet what has waited for 30 s comes before newer changes', async () => {
    const decide = (_: string, now: Date) => wait('once more', new Date(now.getTime() + 11_000));
    const stage = new Stage({ decide });
    await stage.look('resync');
    const claimed: { key: string; dueMs: number }[] = [];
    // Twice as many changes as looks, so that there is always a change that waits.
    for (let second = 1; second <= 100; second++) {
      await stage.clock.advance(1_000);
      stage.due(`change ${second}`, `another ${second}`);
      const [lease] = await stage.notebook.claim('things', 1, 1_000_000);
      claimed.push({ key: lease!.key, dueMs: lease!.dueAt.getTime() });
    }
    const at = claimed.findIndex(({ key }) => key === 'resync');
    const { dueMs } = claimed[at]!;
    const before = claimed.slice(0, at).map((change) => change.dueMs - dueMs);
    const after = claimed.slice(at + 1).map((change) => change.dueMs - dueMs);
    expect(Math.max(...before)).toBeGreaterThan(25_000);
    expect(Math.max(...before)).toBeLessThanOrEqual(30_000);
    expect(Math.min(...after)).toBeGreaterThanOrEqual(30_000);
  });
});

import fc from 'fast-check';
import { Unavailable } from './errors';
import { halving } from './halving';

/** Runs a batch of numbers in which some are poison; tells what ran, what stood alone, and in how many attempts. */
async function halved(batch: readonly number[], poison: ReadonlySet<number>, isSuspect = (_: number) => false) {
  const ran: number[] = [];
  const alone: number[] = [];
  let attempts = 0;
  const run = async (part: readonly number[]): Promise<void> => {
    attempts += 1;
    if (part.some((one) => poison.has(one))) throw new Error('poison');
    ran.push(...part);
  };
  await halving(batch, { run, alone: async (one) => void alone.push(one), isSuspect });
  return { ran, alone, attempts };
}

const batches = fc.uniqueArray(fc.integer(), { maxLength: 100 });

describe('halving', () => {
  it('runs every good one exactly once, in order, and leaves every bad one alone exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(batches, fc.func(fc.boolean()), async (batch, isPoison) => {
        const poison = new Set(batch.filter(isPoison));
        const { ran, alone } = await halved(batch, poison);
        expect(ran).toEqual(batch.filter((one) => !poison.has(one)));
        expect(alone).toEqual(batch.filter((one) => poison.has(one)));
      }),
    );
  });

  it('runs a good batch in one go, and an empty one not at all', async () => {
    expect((await halved([1, 2, 3], new Set())).attempts).toBe(1);
    expect((await halved([], new Set())).attempts).toBe(0);
  });

  it('finds one bad one among 512 in 19 attempts', async () => {
    const batch = Array.from({ length: 512 }, (_, number) => number);
    expect((await halved(batch, new Set([200]))).attempts).toBe(19);
  });

  it('runs those that have failed before apart, so that the others go in one', async () => {
    const batch = Array.from({ length: 512 }, (_, number) => number);
    const known = new Set([200, 300]);
    const { ran, attempts } = await halved(batch, new Set([200]), (one) => known.has(one));
    expect([ran.length, ran.at(-1), attempts]).toEqual([511, 300, 4]);
  });

  it('throws Unavailable on at once, for no part is at fault', async () => {
    const run = jest.fn().mockRejectedValue(new Unavailable('away'));
    const alone = jest.fn();
    await expect(halving([1, 2, 3, 4], { run, alone, isSuspect: () => false })).rejects.toThrow(Unavailable);
    expect([run.mock.calls.length, alone.mock.calls.length]).toEqual([1, 0]);
  });

  it('hands over the error with the one at fault', async () => {
    const error = new Error('poison');
    const alone = jest.fn().mockResolvedValue(undefined);
    await halving(['a'], { run: () => Promise.reject(error), alone, isSuspect: () => false });
    expect(alone).toHaveBeenCalledWith('a', error);
  });
});

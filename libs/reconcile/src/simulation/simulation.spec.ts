import { verdict } from './verdict';

const seeds = 200;

describe('three processes in a world that breaks', () => {
  it(`keep every promise, whichever of ${seeds} seeds the troubles grow from`, async () => {
    for (let seed = 1; seed <= seeds; seed++) {
      const { tookMs, ...found } = await verdict(seed);
      expect({ ...found, tookMs }).toEqual({ seed, unfinished: [], broken: [], twice: [], restless: [], tookMs });
    }
  }, 60_000);

  it('tell the same story for the same seed', async () => {
    expect(await verdict(7)).toEqual(await verdict(7));
  });
});

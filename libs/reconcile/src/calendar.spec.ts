import { Calendar } from './calendar';
import { VirtualClock } from './simulation/clock';

describe('a calendar', () => {
  function kept(clock = new VirtualClock()): { clock: VirtualClock; calendar: Calendar; rings: number[] } {
    const began = clock.nowMs();
    const rings: number[] = [];
    return { clock, calendar: new Calendar(clock, () => void rings.push(clock.nowMs() - began)), rings };
  }

  it('rings at each date, in whichever order they came, by one timer', async () => {
    const { clock, calendar, rings } = kept();
    for (const ms of [300, 100, 200]) calendar.set(`${ms}`, ms);
    expect(clock.pending).toBe(1);
    await clock.advance(1_000);
    expect(rings).toEqual([100, 200, 300]);
  });

  it('rings once for dates that are near to each other, when the last of them has come', async () => {
    const { clock, calendar, rings } = kept();
    for (const ms of [101, 119, 110, 120]) calendar.set(`${ms}`, ms);
    await clock.advance(1_000);
    expect(rings).toEqual([120]);
  });

  it('rings for a name at the date that it was given last, and not where that was taken back', async () => {
    const { clock, calendar, rings } = kept();
    for (const ms of [100, 400]) calendar.set('one', ms);
    calendar.set('another', 200);
    calendar.delete('another');
    await clock.advance(1_000);
    expect(rings).toEqual([400]);
  });

  it('rings once for a date, though its timer comes early', async () => {
    class Hasty extends VirtualClock {
      override after(ms: number, run: () => void): () => void {
        return super.after(Math.max(1, ms - 1), run);
      }
    }
    const { clock, calendar, rings } = kept(new Hasty());
    calendar.set('one', 100);
    await clock.advance(1_000);
    expect(rings).toEqual([100]);
  });

  it('goes on to what is asked for while it rings', async () => {
    const clock = new VirtualClock();
    let left = 3;
    const calendar: Calendar = new Calendar(clock, () => void ((left -= 1) > 0 && calendar.set('one', 100)));
    calendar.set('one', 100);
    await clock.advance(1_000);
    expect([left, clock.pending]).toEqual([0, 0]);
  });

  it('forgets all when it is cancelled', async () => {
    const { clock, calendar, rings } = kept();
    for (const ms of [100, 400]) calendar.set(`${ms}`, ms);
    calendar.cancel();
    calendar.set('another', 200);
    await clock.advance(1_000);
    expect(rings).toEqual([200]);
  });
});

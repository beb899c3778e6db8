import { Alarm } from './alarm';
import { VirtualClock } from './simulation/clock';

describe('an alarm', () => {
  function alarmed(): { clock: VirtualClock; alarm: Alarm; rings: number[] } {
    const clock = new VirtualClock();
    const began = clock.nowMs();
    const rings: number[] = [];
    return { clock, alarm: new Alarm(clock, () => void rings.push(clock.nowMs() - began)), rings };
  }

  it('rings once, at the earliest of the times asked for', async () => {
    const { clock, alarm, rings } = alarmed();
    for (const ms of [300, 100, 200]) alarm.in(ms);
    expect(clock.pending).toBe(1);
    await clock.advance(1_000);
    expect(rings).toEqual([100]);
  });

  it('rings again when it is asked again after it rang', async () => {
    const { clock, alarm, rings } = alarmed();
    alarm.in(100);
    await clock.advance(150);
    alarm.in(100);
    await clock.advance(150);
    expect(rings).toEqual([100, 250]);
  });

  it('does not ring once it is cancelled, and can be set anew', async () => {
    const { clock, alarm, rings } = alarmed();
    alarm.in(100);
    alarm.cancel();
    await clock.advance(200);
    alarm.in(300);
    await clock.advance(300);
    expect(rings).toEqual([500]);
  });
});

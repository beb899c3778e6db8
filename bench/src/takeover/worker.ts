import { obey, sharedMs } from '../house/orders';
import { type ContenderName, contenders } from './contenders';

/** The process that is killed, and the one that takes over. */
const begunMs = new Map<string, number>();
const waiting = new Map<string, (ms: number) => void>();

function begun(id: string): void {
  const ms = sharedMs();
  begunMs.set(id, ms);
  waiting.get(id)?.(ms);
}

let add: () => Promise<string>;

obey('start', async ({ name, url }: { name: ContenderName; url: string }) => {
  add = await contenders[name].start(url, begun);
});
obey('add', () => add());
// When work on it began here.
obey('begun', (id: string) => begunMs.get(id) ?? new Promise<number>((resolve) => waiting.set(id, resolve)));
process.once('disconnect', () => process.exit());

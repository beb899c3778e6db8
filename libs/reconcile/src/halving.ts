import { Unavailable } from './errors';

/**
 * Runs a batch; when that fails, its halves, until what is at fault stands alone and `alone` takes it. An
 * unreachable database is nobody's fault, so Unavailable is thrown on at once.
 */
export async function halving<T>(
  batch: readonly T[],
  run: (part: readonly T[]) => Promise<void>,
  alone: (one: T, error: unknown) => Promise<void>,
): Promise<void> {
  if (batch.length === 0) return;
  try {
    await run(batch);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    if (batch.length === 1) return alone(batch[0]!, error);
    const middle = Math.ceil(batch.length / 2);
    await halving(batch.slice(0, middle), run, alone);
    await halving(batch.slice(middle), run, alone);
  }
}

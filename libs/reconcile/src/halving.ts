import { Unavailable } from './errors';

/** What is done with a batch, and with its parts. */
export interface Halving<T> {
  readonly run: (part: readonly T[]) => Promise<void>;
  /** Takes what is at fault. */
  readonly alone: (one: T, error: unknown) => Promise<void>;
  /** Whether it has failed before. Such are run apart from the others, which would be halved over and over again. */
  readonly isSuspect: (one: T) => boolean;
}

/**
 * Runs a batch; when that fails, its halves, until what is at fault stands alone. An unreachable database is nobody's
 * fault, so Unavailable is thrown on at once.
 */
export async function halving<T>(batch: readonly T[], how: Halving<T>): Promise<void> {
  const { isSuspect } = how;
  await halved(
    batch.filter((one) => !isSuspect(one)),
    how,
  );
  await halved(batch.filter(isSuspect), how);
}

async function halved<T>(batch: readonly T[], how: Halving<T>): Promise<void> {
  if (batch.length === 0) return;
  try {
    await how.run(batch);
  } catch (error) {
    if (error instanceof Unavailable) throw error;
    if (batch.length === 1) return how.alone(batch[0]!, error);
    const middle = Math.ceil(batch.length / 2);
    await halved(batch.slice(0, middle), how);
    await halved(batch.slice(middle), how);
  }
}

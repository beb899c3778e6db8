import type { Timers } from './ports';

/**
 * Asks once, and resolves or rejects with the answer, or rejects as soon as `abort` is signalled; when `ms` have passed,
 * it signals that itself. The outside world may ignore the signal; the caller does not wait for it.
 */
export async function withinDeadline(
  ask: (signal: AbortSignal) => Promise<unknown>,
  abort: AbortController,
  { ms, of, timers }: { readonly ms: number; readonly of: string; readonly timers: Timers },
): Promise<unknown> {
  const { signal } = abort;
  signal.throwIfAborted();
  const cancel = timers.after(ms, () => abort.abort(new Error(`${of}: no answer within ${ms} ms`)));
  try {
    return await new Promise((answer, refuse) => {
      signal.addEventListener('abort', () => refuse(signal.reason as Error), { once: true });
      ask(signal).then(answer, refuse);
    });
  } finally {
    cancel();
  }
}

/** Less than the engine's own deadline: a workload that says nothing is not healthy, and nobody's failure. */
const SILENCE_MS = 4_000;

/** Asks a workload over HTTP; an answer below 400 is healthy. An abort of `signal` is thrown on. */
export async function checkHealth(url: string, signal: AbortSignal): Promise<{ healthy: boolean; answer: string }> {
  try {
    const { status, body } = await fetch(url, {
      signal: AbortSignal.any([signal, AbortSignal.timeout(SILENCE_MS)]),
      redirect: 'manual',
    });
    await body?.cancel();
    return { healthy: status < 400, answer: `${url} answered ${status}` };
  } catch (error) {
    signal.throwIfAborted();
    const { cause, message } = error as Error;
    return { healthy: false, answer: `${url} did not answer: ${cause instanceof Error ? cause.message : message}` };
  }
}

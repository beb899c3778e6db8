/** Takes back one step of what was built. */
export type Undo = () => Promise<unknown>;

const open = new Set<Undo>();

/** Stops what is still running, and removes its data: for a benchmark that is interrupted. */
export async function stopAll(): Promise<void> {
  await Promise.allSettled([...open].map((stop) => stop()));
}

/** Builds something that has to be stopped; `build` lists how, step by step. Throws what hinders it, and leaves nothing behind then. */
export async function stoppable<T extends object>(
  build: (undo: Undo[]) => Promise<T>,
): Promise<T & { stop(): Promise<void> }> {
  const undo: Undo[] = [];
  let stopping: Promise<void> | null = null;
  const undoAll = async (): Promise<void> => {
    while (undo.length > 0) await undo.pop()!();
    open.delete(stop);
  };
  // An interruption and the benchmark's own end may both ask for it; step by step it must be for either.
  const stop = (): Promise<void> => (stopping ??= undoAll());
  open.add(stop);
  try {
    return { ...(await build(undo)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

import { type Running, serve } from './serve';
import type { Service } from './service';
import { SettingsError } from './settings';

/** Runs services as a process of their own until it is told to stop by SIGTERM or SIGINT. */
export async function main(services: readonly Service[]): Promise<void> {
  try {
    stopOnSignal(await serve(services));
  } catch (error) {
    process.stderr.write(`${error instanceof SettingsError ? error.message : String((error as Error).stack)}\n`);
    process.exit(1);
  }
}

/** A clean stop takes a second; whatever hangs after that would hang for ever. */
const STOP_MS = 5_000;

/** Stops cleanly at the first signal. More of them are echoes: npm passes on what the terminal has sent already. */
export function stopOnSignal({ stop }: Pick<Running, 'stop'>): void {
  let stopping = false;
  const onSignal = (): void => {
    if (stopping) return;
    stopping = true;
    setTimeout(() => process.exit(1), STOP_MS).unref();
    void stop().then(
      () => process.exit(0),
      (error: unknown) => {
        process.stderr.write(`${String((error as Error).stack)}\n`);
        process.exit(1);
      },
    );
  };
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, onSignal);
}

import './counts';
import type { Log } from '../logs';
import { type Watched, watch } from './gauges';
import type { TelemetrySettings } from './telemetry.settings';
import { startTracing } from './tracing';

/** Lets a process be seen: traces and metrics of its services. Returns how to stop, within a quarter of a second. */
export async function startTelemetry(
  settings: TelemetrySettings,
  wings: readonly Watched[],
  log: Log,
): Promise<() => Promise<void>> {
  const name = wings.length === 1 ? wings[0]!.service.name : 'homeostat';
  const stopTracing = await startTracing(settings, name, log);
  const unwatch = wings.map((wing) => watch(wing));
  return async () => {
    for (const end of unwatch) end();
    await stopTracing();
  };
}

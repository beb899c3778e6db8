import { context, trace } from '@opentelemetry/api';
import type { BasicTracerProvider } from '@opentelemetry/sdk-trace-base';
import type { Log } from '../logs';
import { passing } from './context';
import type { TelemetrySettings } from './telemetry.settings';

/** Of the second that a shutdown may take, what is left for the last spans. */
const FLUSH_MS = 250;
/** A collector that is away is worth one line in so long. */
const COMPLAIN_MS = 60_000;

/**
 * Gives every request, handler and look of this process its trace. Without an endpoint they have ids only, for logs and
 * events, and OpenTelemetry's SDK is not even loaded. Returns how to stop: sends what is left, in a quarter of a second.
 */
export async function startTracing(settings: TelemetrySettings, name: string, log: Log): Promise<() => Promise<void>> {
  context.setGlobalContextManager(passing);
  if (!isExported(settings)) return async () => undefined;
  const provider = await exporting(name, log);
  trace.setGlobalTracerProvider(provider);
  return async () => {
    trace.disable();
    const late = new Promise((resolve) => setTimeout(resolve, FLUSH_MS).unref());
    await Promise.race([provider.shutdown().catch(() => undefined), late]);
  };
}

function isExported(settings: TelemetrySettings): boolean {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: traces } = settings;
  return Boolean(base ?? traces) && settings.OTEL_TRACES_EXPORTER !== 'none' && settings.OTEL_SDK_DISABLED !== 'true';
}

/** What spans are exported with; each reads the standard variables that are its own. */
async function exporting(name: string, log: Log): Promise<BasicTracerProvider> {
  const [core, resources, sdk, otlp] = await Promise.all([
    import('@opentelemetry/core'),
    import('@opentelemetry/resources'),
    import('@opentelemetry/sdk-trace-base'),
    import('@opentelemetry/exporter-trace-otlp-http'),
  ]);
  core.setGlobalErrorHandler(complaintsTo(log));
  const own = resources.resourceFromAttributes({ 'service.name': name, 'service.namespace': 'homeostat' });
  const told = resources.detectResources({ detectors: [resources.envDetector] });
  const resource = resources.defaultResource().merge(own).merge(told);
  return new sdk.BasicTracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor(new otlp.OTLPTraceExporter())],
  });
}

function complaintsTo(log: Log): (error: unknown) => void {
  let complainedAt = -Infinity;
  return (error) => {
    if (performance.now() - complainedAt < COMPLAIN_MS) return;
    complainedAt = performance.now();
    log.warn(`traces cannot be exported: ${error instanceof Error ? error.message : String(error)}`);
  };
}

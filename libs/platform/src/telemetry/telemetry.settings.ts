import { z } from 'zod';
import { oneOf } from '../settings';

const url = z
  .string()
  .regex(/^https?:\/\//, 'is no http(s) URL')
  .optional();

/**
 * What decides whether traces are exported. How they are sampled, sent and labelled is said by the other standard
 * variables (OTEL_TRACES_SAMPLER, OTEL_EXPORTER_OTLP_HEADERS, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… ), which
 * OpenTelemetry's own packages read.
 */
export const telemetrySettings = {
  OTEL_EXPORTER_OTLP_ENDPOINT: url,
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: url,
  OTEL_TRACES_EXPORTER: oneOf(['otlp', 'none'], 'otlp'),
  OTEL_SDK_DISABLED: oneOf(['true', 'false'], 'false'),
};

export type TelemetrySettings = z.infer<z.ZodObject<typeof telemetrySettings>>;

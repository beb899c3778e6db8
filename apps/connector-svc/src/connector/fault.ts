/** How a job takes a fault (spec 3, "Failure classes"): retry, retry without costing an attempt, or never again. */
export type FaultClass = 'transient' | 'not_ready' | 'terminal';

const classes = {
  unreachable: 'transient',
  timeout: 'transient',
  throttled: 'transient',
  server_error: 'transient',
  incomplete_answer: 'transient',
  not_ready: 'not_ready',
  unauthenticated: 'terminal',
  forbidden: 'terminal',
  not_found: 'terminal',
  invalid_config: 'terminal',
  invalid_answer: 'terminal',
  corrupt: 'terminal',
  unsupported: 'terminal',
  outside_root: 'terminal',
  too_large: 'terminal',
} as const satisfies Record<string, FaultClass>;

/** Stable names of what can go wrong at a source; `corrupt`: bytes that break their format; `unsupported`: says which feature. */
export type FaultCode = keyof typeof classes;

/** Whatever a connector throws on purpose: a code, its class, and a sentence fit for the outcome of a table; never a secret. */
export class ConnectorFault extends Error {
  override readonly name = 'ConnectorFault';
  readonly faultClass: FaultClass;

  constructor(
    readonly code: FaultCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.faultClass = classes[code];
  }
}

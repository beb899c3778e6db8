import { NotPublic } from '@homeostat/platform';
import { RegistryBusy, RegistryRefused } from '../registry/registry.errors';

/** Why a sync does not go on: `final` where no retry can help; `until`: we were asked to come back then. `reason` is a stable CamelCase word. */
export class SyncFault extends Error {
  override readonly name = 'SyncFault';

  constructor(
    readonly reason: string,
    message: string,
    readonly final: boolean,
    readonly until: Date | null = null,
  ) {
    super(message);
  }
}

/** What went wrong while a sync was worked on, in words without anything confidential. */
export type Setback =
  | { readonly found: 'failed'; readonly reason: string; readonly message: string }
  /** `costs`: an attempt. `until`: not before then; null: after a backoff. */
  | {
      readonly found: 'retry';
      readonly costs: boolean;
      readonly reason: string;
      readonly message: string;
      readonly until: Date | null;
    };

/** Sorts an error of the outside world. */
export function setbackOf(error: unknown): Setback {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof RegistryBusy) {
    return { found: 'retry', costs: false, reason: 'RegistryBusy', message, until: error.until };
  }
  if (error instanceof SyncFault) {
    const { reason, final, until } = error;
    return final
      ? { found: 'failed', reason, message }
      : { found: 'retry', costs: until === null, reason, message, until };
  }
  if (error instanceof RegistryRefused) return { found: 'failed', reason: 'CredentialsRefused', message };
  if (isNotPublic(error)) {
    return { found: 'failed', reason: 'AddressNotPublic', message: `${message}: only public addresses are gone to` };
  }
  return { found: 'retry', costs: true, reason: 'Unreachable', message, until: null };
}

/** Whatever wraps it. */
function isNotPublic(error: unknown): boolean {
  for (let one = error; one instanceof Error; one = one.cause) if (one instanceof NotPublic) return true;
  return false;
}

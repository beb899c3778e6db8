import { sqlState } from '@homeostat/platform';
import { Unavailable } from '@homeostat/reconcile';
import { HouseError } from '@homeostat/shared';
import { Logger } from '@nestjs/common';
import { ConnectorFault } from '../connector/fault';
import { Stopped } from './fence';

/** What is to be done about a failure (spec 3, "Failure classes"), and how it is told. */
export interface Failure {
  readonly failureClass: 'transient' | 'not_ready' | 'terminal';
  /** A stable word. */
  readonly code: string;
  readonly message: string;
}

/** Sorts an error; null where nothing must be written about it: the work was stopped, or the database is away. */
export function failureOf(error: unknown, secrets: readonly string[]): Failure | null {
  if (error instanceof Stopped || error instanceof Unavailable) return null;
  const message = scrubbed(error instanceof Error ? error.message : String(error), secrets);
  if (error instanceof ConnectorFault) return { failureClass: error.faultClass, code: error.code, message };
  if (error instanceof HouseError) return { failureClass: 'terminal', code: error.code, message };
  log.error(`a job met what nobody thought of: ${message}`);
  return {
    failureClass: 'transient',
    code: 'unexpected',
    message: isDatabases(error) ? 'the catalog refused a write; the log says why' : message,
  };
}

const log = new Logger('jobs');

/** Its words are SQL's, and not for callers. */
function isDatabases(error: unknown): boolean {
  return /^[0-9A-Z]{5}$/.test(sqlState(error));
}

const SHORTEST_SECRET = 4;
const LONGEST_MESSAGE = 2_000;

/** A message that holds none of these texts, nor a NUL character, and is no novel. */
export function scrubbed(message: string, secrets: readonly string[]): string {
  const confidential = secrets.filter(({ length }) => length >= SHORTEST_SECRET);
  const clean = confidential.reduce((text, secret) => text.replaceAll(secret, '•••'), message);
  return clean.replaceAll('\0', '').slice(0, LONGEST_MESSAGE);
}

/** `outside_root` as the reason of a resource: `OutsideRoot`. */
export function reasonOf(code: string): string {
  return code.replace(/(^|_)([a-z])/g, (_all, _dash, letter: string) => letter.toUpperCase());
}

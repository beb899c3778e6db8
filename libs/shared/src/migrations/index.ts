import { House1763700000001 } from './0001-house';
import { Platform1763700000002 } from './0002-platform';

/** Every migration, in order. They go forward only; a schema is never edited after it was released. */
export const migrations = [House1763700000001, Platform1763700000002];

/** The name of the newest migration: what a service must find to be ready. */
export const schemaVersion = migrations.at(-1)!.name;

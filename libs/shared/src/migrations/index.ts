import { House1763700000001 } from './0001-house';
import { Platform1763700000002 } from './0002-platform';
import { Directory1763700000003 } from './0003-directory';
import { Lakehouse1763700000004 } from './0004-lakehouse';
import { Traces1763700000005 } from './0005-traces';
import { ExpiredSnapshots1763700000006 } from './0006-expired-snapshots';
import { Names1763700000007 } from './0007-names';
import { ReadingMarks1763700000008 } from './0008-reading-marks';
import { LeanLooks1763700000009 } from './0009-lean-looks';
import { ClaimsAlong1763700000010 } from './0010-claims-along';
import { AwaitedReferrers1763700000011 } from './0011-awaited-referrers';
import { ListsByTenant1763700000012 } from './0012-lists-by-tenant';
import { GoesOnAtOnce1763700000013 } from './0013-goes-on-at-once';

/** Every migration, in order. They go forward only; a schema is never edited after it was released. */
export const migrations = [
  House1763700000001,
  Platform1763700000002,
  Directory1763700000003,
  Lakehouse1763700000004,
  Traces1763700000005,
  ExpiredSnapshots1763700000006,
  Names1763700000007,
  ReadingMarks1763700000008,
  LeanLooks1763700000009,
  ClaimsAlong1763700000010,
  AwaitedReferrers1763700000011,
  ListsByTenant1763700000012,
  GoesOnAtOnce1763700000013,
];

/** The name of the newest migration: what a service must find to be ready. */
export const schemaVersion = migrations.at(-1)!.name;

export { serviceRole } from './service-role';

import { Build, Deployment, Environment, Image, Project, VmClaim } from './deploy';
import { DirectoryRecord, Referrer, Registry, Sync, SyncRecord } from './directory';
import { Domain } from './domain';
import { Catalog, CatalogTable, Connector, Namespace, ReconcileJob } from './lakehouse';
import { NameVerification } from './name';
import { Pool, Region, Vm } from './pool';

export * from './deploy';
export * from './directory';
export * from './domain';
export * from './lakehouse';
export * from './name';
export * from './pool';
export * from './resource';

/** Every entity of the house. */
export const entities = [
  Project,
  Environment,
  Image,
  Build,
  Deployment,
  VmClaim,
  Region,
  Vm,
  Pool,
  Domain,
  NameVerification,
  DirectoryRecord,
  Referrer,
  Registry,
  Sync,
  SyncRecord,
  Connector,
  ReconcileJob,
  Catalog,
  Namespace,
  CatalogTable,
];

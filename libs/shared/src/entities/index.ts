import { Build, Deployment, Environment, Image, Project, VmClaim } from './deploy';
import { Domain } from './domain';
import { Pool, Region, Vm } from './pool';

export * from './deploy';
export * from './domain';
export * from './pool';
export * from './resource';

/** Every entity of the house. */
export const entities = [Project, Environment, Image, Build, Deployment, VmClaim, Region, Vm, Pool, Domain];

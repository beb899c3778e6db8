import type { Kind, ServiceRole } from '@homeostat/shared';
import type { Provider, Type } from '@nestjs/common';
import type { z } from 'zod';
import type { AnyHouseReconciler } from './reconcile/house.reconciler';

/** Token of a service's settings: the type is inferred from its `settings`. */
export const SETTINGS = Symbol('settings');

/**
 * One resource family: what it is told, what it reconciles, what it answers. Its classes may ask for `Database` (under
 * the service's role), `Looks`, `Changes`, and its settings by `@Inject(SETTINGS)`.
 */
export interface Service {
  readonly name: string;
  readonly role: ServiceRole;
  /** Where it listens when it runs by itself (spec 0, "Where"). */
  readonly port: number;
  readonly settings: z.ZodRawShape;
  /** HTTP controllers, and event handlers as `@EventPattern` methods. */
  readonly controllers: readonly Type[];
  readonly reconcilers: readonly Type<AnyHouseReconciler>[];
  readonly providers?: readonly Provider[];
  /** Resources to look at whenever a process starts: those that depend on settings. */
  readonly lookAtStart?: readonly { readonly kind: Kind; readonly key: string }[];
}

export function defineService<S extends Service>(service: S): S {
  return service;
}

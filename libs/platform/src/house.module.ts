import type { Kind } from '@homeostat/shared';
import { type DynamicModule, Module, type Provider, type Type } from '@nestjs/common';
import { ScheduleModule } from '@nestjs/schedule';
import { Database } from './database/database';
import type { Committed } from './database/tx';
import { brokerOf } from './events/broker';
import { deadLettersOf } from './events/dead-letters.controller';
import { nameHandlers } from './events/handlers';
import type { Outbox } from './events/outbox';
import { Changes } from './http/changes';
import { HttpModule } from './http/http.module';
import type { Log } from './logs';
import type { AnyHouseReconciler } from './reconcile/house.reconciler';
import { Looks } from './reconcile/looks';
import { logChanges, witnessCommit } from './reconcile/witness';
import { SETTINGS, type Service } from './service';
import type { HouseSettings } from './settings';
import { apart } from './telemetry/traceparent';

/** What all services of a process have in common. */
export interface House {
  readonly settings: HouseSettings;
  readonly log: Log;
  readonly changes: Changes;
  /** Names this process in leases. */
  readonly holder: string;
  /** Set once the first database is there. */
  outbox: Outbox | null;
}

/** A service at work in this process. */
export interface Wing {
  readonly service: Service;
  readonly database: Database;
  readonly looks: () => Looks;
  readonly module: DynamicModule;
}

/** Builds a service's Nest module, with a database pool under its own role and a loop over its reconcilers. */
export function wingOf(service: Service, house: House): Wing {
  let looks: Looks | null = null;
  const database = databaseOf(service, house, (kind) => looks?.nudge(kind));
  const make = (...reconcilers: AnyHouseReconciler[]): Looks =>
    (looks = new Looks(reconcilers, database, house.holder, house.log));
  nameHandlers(service.name, service.controllers);
  @Module({})
  class ServiceModule {}
  const own: Provider[] = [
    { provide: Database, useValue: database },
    { provide: SETTINGS, useValue: house.settings },
    { provide: Changes, useValue: house.changes },
    { provide: Looks, useFactory: make, inject: [...service.reconcilers] },
  ];
  const module = {
    module: ServiceModule,
    controllers: [...service.controllers] as Type[],
    providers: [...own, ...service.reconcilers, ...(service.providers ?? [])],
  };
  return { service, database, looks: () => looks!, module };
}

/** The root of a process: its services, their dead letters, and the registry of timers. */
export function rootOf(wings: readonly Wing[], { settings }: House): DynamicModule {
  @Module({})
  class HouseModule {}
  const services = wings.map(({ module }) => module);
  const deadLetters = deadLettersOf(
    brokerOf(settings),
    wings.map(({ service }) => service.name),
  );
  return { module: HouseModule, imports: [ScheduleModule.forRoot(), ...services, deadLetters, HttpModule] };
}

function databaseOf(service: Service, house: House, nudge: (kind: Kind) => void): Database {
  const { RECONCILER_DATABASE_URL: url, RECONCILER_DATABASE_CONNECTIONS: connections } = house.settings;
  const committed = (what: Committed): void => {
    for (const kind of what.looks.keys()) nudge(kind);
    house.changes.tell(what.changes.map(({ key }) => key));
    apart(() => house.outbox?.send(what.events));
    witnessCommit(what);
    logChanges(house.log, what);
  };
  return new Database({ url, role: service.role, application: service.name, connections }, committed);
}

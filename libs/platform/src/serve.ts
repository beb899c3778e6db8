import { hostname } from 'node:os';
import { SchedulerRegistry } from '@nestjs/schedule';
import { NestFactory } from '@nestjs/core';
import type { CustomTransportStrategy } from '@nestjs/microservices';
import type { NestMicroservice } from '@nestjs/microservices/nest-microservice';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { brokerOf } from './events/broker';
import { HandOnFilter } from './events/hand-on.filter';
import { InProcessTransport } from './events/in-process.transport';
import { Outbox } from './events/outbox';
import { RabbitmqTransport } from './events/rabbitmq.transport';
import { BoundedAdapter } from './http/bounded.adapter';
import { Changes } from './http/changes';
import { checkExposure, httpSettings } from './http/http.settings';
import { ReadinessChecks } from './http/probes.controller';
import { setUpHttp } from './http/set-up';
import { type House, type Wing, rootOf, wingOf } from './house.module';
import { makeLog, nestLogger } from './logs';
import { Heart } from './reconcile/heart';
import type { Service } from './service';
import { type HouseSettings, SettingsError, houseSettings, readSettings } from './settings';
import { startTelemetry } from './telemetry/telemetry';
import { type TelemetrySettings, telemetrySettings } from './telemetry/telemetry.settings';

/** A process that is up. */
export interface Running {
  /** Where its API is. */
  readonly url: string;
  /** Hands back every lease, answers what is under way, and closes the connections; within a second. */
  stop(): Promise<void>;
}

type Settings = HouseSettings & TelemetrySettings & ReturnType<typeof readSettings<typeof httpSettings>>;

/**
 * Starts services in this process. `preset` are settings for variables that the environment does not set. Throws
 * SettingsError, or what hinders it from listening; a database that is away is waited for.
 */
export async function serve(
  services: readonly Service[],
  preset: Readonly<Record<string, string>> = {},
): Promise<Running> {
  const settings = settingsOf(services, preset);
  const house = houseOf(settings);
  const wings = services.map((service) => wingOf(service, house));
  const stopTelemetry = await startTelemetry(settings, wings, house.log);
  const transport = transportOf(services, house);
  house.outbox = new Outbox(wings[0]!.database, transport, house.log);
  const adapter = new BoundedAdapter(settings.RECONCILER_HTTP_CONNECTIONS);
  const app = await NestFactory.create<NestExpressApplication>(rootOf(wings, house), adapter, {
    logger: nestLogger(house.log),
    bodyParser: false,
  });
  connectHandlers(app, transport);
  const heart = heartOf(wings, house, app.get(SchedulerRegistry));
  setUpHttp(app, { settings, changes: house.changes, log: house.log, wings });
  if (transport instanceof RabbitmqTransport)
    app.get(ReadinessChecks, { strict: false }).add({ name: 'broker', check: async () => transport.fault });
  await app.startAllMicroservices();
  await listen(app, settings);
  void heart.start();
  const stop = async (): Promise<void> => {
    await Promise.all([heart.stop(), closed(app)]);
    // The last answers may have brought forth events, too.
    await house.outbox?.settled();
    await transport.disconnect();
    await Promise.all([stopTelemetry(), ...wings.map(({ database }) => database.close())]);
  };
  return { url: await app.getUrl(), stop };
}

/** Its filter wants to be there before its handlers are; the modules' own hooks are the application's to call. */
function connectHandlers(app: NestExpressApplication, strategy: CustomTransportStrategy): void {
  const handlers = app.connectMicroservice({ strategy }, { deferInitialization: true }) as NestMicroservice;
  handlers.useGlobalFilters(new HandOnFilter());
  handlers.setIsInitHookCalled(true);
}

function transportOf(services: readonly Service[], { settings, log }: House): InProcessTransport | RabbitmqTransport {
  const broker = brokerOf(settings);
  const names = services.map(({ name }) => name);
  return broker ? new RabbitmqTransport(broker, names, log) : new InProcessTransport(log);
}

async function listen(app: NestExpressApplication, settings: Settings): Promise<void> {
  const { RECONCILER_HTTP_PORT: port, RECONCILER_HTTP_HOST: host } = settings;
  try {
    await app.listen(port, host);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EADDRINUSE')
      throw new SettingsError([`RECONCILER_HTTP_PORT ${port} is taken on ${host}: choose another`]);
    throw new SettingsError([`RECONCILER_HTTP_HOST ${host}: nothing can listen there: ${message}`]);
  }
}

/** Closes connections as their last answer is given, and not only those that are idle already: clients keep them for seconds. */
async function closed(app: NestExpressApplication): Promise<void> {
  const server = app.getHttpServer();
  const sweep = setInterval(() => server.closeIdleConnections(), 20);
  await app.close().finally(() => clearInterval(sweep));
}

/** Reads what a process with these services is told. Throws SettingsError with every fault. */
export function settingsOf(services: readonly Service[], preset: Readonly<Record<string, string>>): Settings {
  const own = services.map((service) => service.settings);
  const shape = Object.assign({}, houseSettings, httpSettings, telemetrySettings, ...own) as typeof houseSettings &
    typeof httpSettings &
    typeof telemetrySettings;
  const port = String(services.length === 1 ? services[0]!.port : 7080);
  const given = { RECONCILER_HTTP_PORT: port, ...preset };
  const settings = faultsOr(() => readSettings(shape, given));
  const http = faultsOr(() => readSettings(httpSettings, given));
  const faults = [
    ...(settings instanceof SettingsError ? settings.faults : []),
    ...(http instanceof SettingsError ? [] : checkExposure(http)),
  ];
  if (faults.length > 0 || settings instanceof SettingsError) throw new SettingsError(faults);
  return settings;
}

function faultsOr<T>(read: () => T): T | SettingsError {
  try {
    return read();
  } catch (error) {
    if (error instanceof SettingsError) return error;
    throw error;
  }
}

function houseOf(settings: Settings): House {
  const holder = `${hostname()}/${process.pid}`;
  return { settings, log: makeLog(settings.RECONCILER_LOG_LEVEL), changes: new Changes(), holder, outbox: null };
}

function heartOf(wings: readonly Wing[], house: House, schedule: SchedulerRegistry): Heart {
  const { settings, outbox, log } = house;
  const looks = wings.map((wing) => wing.looks());
  const first = wings.flatMap(({ service }) => service.lookAtStart ?? []);
  return new Heart(looks, first, wings[0]!.database, outbox!, schedule, settings.RECONCILER_INTERVAL, log);
}

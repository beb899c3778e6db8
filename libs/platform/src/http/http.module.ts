import { Global, Module } from '@nestjs/common';
import { DocsController } from './docs.controller';
import { KindDesks } from './kind.desk';
import { KindsController } from './kinds.controller';
import { ProbesController, ReadinessChecks } from './probes.controller';
import { Routes } from './routes';

/**
 * What every process serves beside its services' own routes. It is imported after the services' modules: the routes of
 * every kind come last, so that a service can have one of its own at the same place.
 */
@Global()
@Module({
  controllers: [ProbesController, DocsController, KindsController],
  providers: [KindDesks, ReadinessChecks, Routes],
  exports: [KindDesks],
})
export class HttpModule {}

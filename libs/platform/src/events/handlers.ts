import type { Type } from '@nestjs/common';
import { PATTERN_EXTRAS_METADATA, PATTERN_METADATA } from '@nestjs/microservices/constants';

/** What Nest hands on with a handler. */
export interface HandlerExtras {
  /** The service whose handler it is. */
  readonly service?: string;
}

/** Notes on the event handlers of these controllers whose they are: in one process, each service has a queue of its own. */
export function nameHandlers(service: string, controllers: readonly Type[]): void {
  for (const { prototype } of controllers as readonly { prototype: object }[]) {
    for (const { value } of Object.values(Object.getOwnPropertyDescriptors(prototype))) {
      if (typeof value !== 'function' || !Reflect.hasMetadata(PATTERN_METADATA, value)) continue;
      const extras: HandlerExtras = { ...Reflect.getMetadata(PATTERN_EXTRAS_METADATA, value), service };
      Reflect.defineMetadata(PATTERN_EXTRAS_METADATA, extras, value);
    }
  }
}

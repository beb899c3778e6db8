import { Injectable } from '@nestjs/common';
import { ModulesContainer } from '@nestjs/core';
import { type RouteInfo, routeOf } from './route';

export interface KnownRoute extends RouteInfo {
  /** Stable, and unlike any other: controller and method. */
  readonly operation: string;
}

/** Every route of this process's controllers, in the order in which they are tried. */
@Injectable()
export class Routes {
  private found: readonly (KnownRoute & { readonly pattern: RegExp })[] | null = null;

  constructor(private readonly modules: ModulesContainer) {}

  all(): readonly KnownRoute[] {
    return this.known();
  }

  /** The methods that a path can be called with; none for a path that nobody serves. */
  methodsOf(path: string): string[] {
    const matching = this.known().filter(({ pattern }) => pattern.test(path));
    // A word stands for itself, and not for an id.
    const literal = matching.filter((route) => route.path === path.replace(/(?<=.)\/$/, ''));
    const methods = (literal.length > 0 ? literal : matching).map(({ method }) => method);
    return [...new Set(methods.includes('GET') ? [...methods, 'HEAD'] : methods)];
  }

  private known() {
    this.found ??= [...this.modules.values()]
      .flatMap(({ controllers }) => [...controllers.values()])
      .flatMap(({ metatype }) => (typeof metatype === 'function' ? routesOf(metatype) : []))
      .map((route) => ({ ...route, pattern: new RegExp(`^${route.path.replace(/:\w+/g, '[^/]+')}/?$`) }));
    return this.found;
  }
}

function routesOf(controller: { readonly name: string; readonly prototype?: unknown }): KnownRoute[] {
  const members = Object.entries(Object.getOwnPropertyDescriptors(controller.prototype ?? {}));
  return members.flatMap(([name, { value }]) => {
    const route = typeof value === 'function' ? routeOf(value as object) : undefined;
    return route ? [{ ...route, operation: `${controller.name.replace(/Controller$/, '')}_${name}` }] : [];
  });
}

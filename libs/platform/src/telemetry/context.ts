import { AsyncLocalStorage } from 'node:async_hooks';
import { type Context, type ContextManager, ROOT_CONTEXT } from '@opentelemetry/api';

/**
 * Carries the trace along with what a request or a handler does, and only as long as there is one. Up to Node 22 every
 * promise of the process pays for it otherwise, those of the loops too: a wait takes 0.28 µs instead of 0.06 µs.
 */
export class PassingContext implements ContextManager {
  private readonly storage = new AsyncLocalStorage<Context>();
  private inside = 0;

  active(): Context {
    return this.storage.getStore() ?? ROOT_CONTEXT;
  }

  with<A extends unknown[], F extends (...args: A) => ReturnType<F>>(
    context: Context,
    run: F,
    self?: ThisParameterType<F>,
    ...args: A
  ): ReturnType<F> {
    const call = (): ReturnType<F> => run.apply(self as object, args);
    return this.inside === 0 && context === ROOT_CONTEXT ? call() : this.entered(context, call);
  }

  /** Keeps contexts alive until the returned function is called. */
  hold(): () => void {
    this.inside += 1;
    return () => {
      this.inside -= 1;
      if (this.inside === 0) this.storage.disable();
    };
  }

  bind<T>(_context: Context, target: T): T {
    return target;
  }

  enable(): this {
    return this;
  }

  disable(): this {
    this.storage.disable();
    return this;
  }

  private entered<T>(context: Context, call: () => T): T {
    const leave = this.hold();
    const result = this.storage.run(context, call);
    if (result instanceof Promise) void result.then(leave, leave);
    else leave();
    return result;
  }
}

/** The one of this process. */
export const passing = new PassingContext();

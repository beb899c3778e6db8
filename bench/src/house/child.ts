import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import type { Answer } from './orders';

/** A process of ours that takes orders over Node's own channel. */
export interface Child {
  readonly pid: number;
  /** Asks something of the process. Throws what went wrong there. */
  order<Output>(name: string, input?: unknown): Promise<Output>;
  /** Ends it in its own way, by closing the channel. */
  stop(): Promise<void>;
  /** Ends it by SIGKILL, as a crash would. */
  kill(): Promise<void>;
}

/** Starts a compiled program. Its environment is empty, so that it runs with the settings that it is given and with defaults. */
export function openChild(program: string, execArgv: readonly string[] = []): Child {
  const child = fork(program, { env: {}, execArgv: [...execArgv] });
  const ended = async (): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  return {
    pid: child.pid!,
    order: ordersTo(child),
    stop: async () => {
      if (child.connected) child.disconnect();
      await ended();
    },
    kill: async () => {
      child.kill('SIGKILL');
      await ended();
    },
  };
}

function ordersTo(child: ChildProcess): Child['order'] {
  const waiting = new Map<number, (answer: Omit<Answer, 'id'>) => void>();
  let last = 0;
  child.on('message', ({ id, ...answer }: Answer) => waiting.get(id)?.(answer));
  child.once('exit', (code) => waiting.forEach((settle) => settle({ error: `the process ended with ${code}` })));
  return <Output>(name: string, input: unknown = null) =>
    new Promise<Output>((done, failed) => {
      const id = (last += 1);
      waiting.set(id, ({ output, error }) => {
        waiting.delete(id);
        if (error === undefined) done(output as Output);
        else failed(new Error(error));
      });
      child.send({ id, order: name, input });
    });
}

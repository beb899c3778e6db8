import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { root } from '../../scripts/root.mjs';

const KEPT = 30;
const running = new Set();

// Told to stop, they take their PostgreSQL along; one that was stopped in its tracks hears of it only when it goes on.
process.once('exit', () => {
  for (const child of running) for (const signal of ['SIGTERM', 'SIGCONT']) child.kill(signal);
});
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(1));

/** Starts a Node program of the house with these settings beside the environment's; it never outlives this process. */
export function start(program, args, settings) {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: root,
    env: { ...process.env, ...settings },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.add(child);
  const lines = [];
  const keep = (part) => {
    lines.push(...String(part).trimEnd().split('\n'));
    lines.splice(0, lines.length - KEPT);
  };
  child.stdout.on('data', keep);
  child.stderr.on('data', keep);
  const ended = once(child, 'exit').then(([code, signal]) => {
    running.delete(child);
    return signal ?? code;
  });
  return {
    pid: child.pid,
    child,
    /** Resolves to the exit code or the signal. */
    ended,
    /** What it printed last. */
    said: () => lines.join('\n'),
    /** Sends the signal and resolves to the milliseconds until it is gone. */
    async end(signal) {
      const startedMs = performance.now();
      child.kill(signal);
      await ended;
      return performance.now() - startedMs;
    },
  };
}

/** Starts all services in one process; `url` resolves to where they answer, or rejects when the process ends before. */
export function startUp(args, settings) {
  const program = start('apps/homeostat/dist/main.js', ['up', ...args], {
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'warn',
    ...settings,
  });
  const url = new Promise((resolve, reject) => {
    program.child.stderr.on('data', (part) => {
      const [, found] = /homeostat is up: (\S+)/.exec(String(part)) ?? [];
      if (found) resolve(found);
    });
    program.ended.then((how) => reject(new Error(`homeostat up ended (${how}) before it was up:\n${program.said()}`)));
  });
  url.catch(() => undefined);
  return { ...program, url };
}

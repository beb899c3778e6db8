import { start } from './child.mjs';
import { freePort } from './free-port.mjs';
import { until } from './until.mjs';

/**
 * Starts a service, by a Node program and its arguments, on a port of its own, and waits `readyMs` at most until it is
 * ready. Throws with what it said.
 */
export async function startMember(name, [program, ...args], settings, readyMs) {
  const port = await freePort();
  const process = start(program, args, { ...settings, RECONCILER_HTTP_PORT: String(port) });
  const url = `http://127.0.0.1:${port}`;
  await until(async () => (await fetch(`${url}/readyz`)).ok, readyMs, `${name} is ready`).catch((error) => {
    throw new Error(`${error.message}\n${process.said()}`);
  });
  return { ...process, name, url };
}

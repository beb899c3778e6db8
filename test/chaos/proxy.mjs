import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * A wire between one process and one server, to be cut, slowed down and swallowed. `target`: what `net.connect` takes.
 * Whatever happens to it, bytes that get through get through in order.
 */
export async function startProxy(target) {
  const pairs = new Set();
  let refusing = false;
  let delayMs = 0;
  let swallowing = null;

  const pump = async (from, to) => {
    for await (const part of from) {
      if (delayMs > 0) await sleep(delayMs);
      await swallowing;
      if (!to.write(part)) await once(to, 'drain');
    }
    to.end();
  };
  const server = createServer((client) => {
    if (refusing) return client.destroy();
    const upstream = connect(target);
    const pair = [client, upstream];
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      for (const socket of pair) socket.destroy();
    };
    for (const socket of pair) socket.setNoDelay(true).on('error', end).on('close', end);
    for (const [from, to] of [pair, pair.toReversed()]) pump(from, to).catch(end);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cut = () => {
    for (const [client, upstream] of pairs) {
      client.resetAndDestroy();
      upstream.destroy();
    }
  };
  return {
    port: server.address().port,
    /** Resets what is connected, and refuses what comes, for so long. */
    async cut(ms) {
      refusing = true;
      cut();
      await sleep(ms);
      refusing = false;
    },
    /** Every packet takes so much longer, for so long. */
    async slow(byMs, ms) {
      delayMs = byMs;
      await sleep(ms);
      delayMs = 0;
    },
    /** Nothing gets through and nobody is told, for so long; then what was sent arrives, or – `lost` – the connection does not. */
    async swallow(ms, { lost }) {
      swallowing = sleep(ms);
      await swallowing;
      if (lost) cut();
      swallowing = null;
    },
    async close() {
      cut();
      server.close();
      await once(server, 'close');
    },
  };
}

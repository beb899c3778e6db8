// Fixed ports before services of which any number may run: `node deploy/gateway.mjs 7081=domain-svc:7080 …`
// It passes bytes on and knows nothing of HTTP. A connection goes to whichever address of the name is next; one that
// refuses, or says nothing for a second, is passed over (docs/decisions/0012).
import { lookup } from 'node:dns/promises';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream';

const CONNECTS_MS = 1_000;
const routes = process.argv.slice(2).map((route) => /^(\d+)=([^:]+):(\d+)$/.exec(route)?.slice(1) ?? fault(route));

for (const [port, name, target] of routes) {
  let turn = 0;
  createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    client.on('error', () => client.destroy());
    pass(client, name, target, (turn += 1)).catch(() => client.destroy());
  }).listen(Number(port));
}
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => process.exit(0));

async function pass(client, name, port, turn) {
  const found = await lookup(name, { all: true, family: 4 });
  const addresses = found.map(({ address }) => address).sort();
  const first = turn % addresses.length;
  const service = await answering([...addresses.slice(first), ...addresses.slice(0, first)], port);
  const end = () => undefined;
  pipeline(client, service, end);
  pipeline(service, client, end);
}

/** Resolves to a connection to the first address that takes one. Throws when none does. */
async function answering(addresses, port) {
  for (const host of addresses) {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    try {
      await once(socket, 'connect', { signal: AbortSignal.timeout(CONNECTS_MS) });
      return socket;
    } catch {
      socket.destroy();
    }
  }
  throw new Error('nobody answers');
}

function fault(route) {
  console.error(`${route}: write a route as PORT=NAME:PORT, such as 7081=domain-svc:7080`);
  process.exit(1);
}

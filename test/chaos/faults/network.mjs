const servers = ['database', 'broker'];
const MOST_MS = 11_000;

/** What happens to the wires between processes and servers: to one process, or to all at once. */
export const network = Object.fromEntries(
  servers.flatMap((server) => [
    [`the ${server} refuses and resets connections`, cut(server)],
    [`the ${server} is far away`, slow(server)],
    [`the ${server} is silent, and goes on`, silent(server, false)],
    [`the ${server} is silent, and its connections are lost`, silent(server, true)],
  ]),
);

function cut(server) {
  return (fleet, chance) => {
    const ms = chance.between(0, 4_000);
    return onSome(fleet, chance, server, (wire) => wire.cut(ms));
  };
}

function slow(server) {
  return (fleet, chance) => {
    const [byMs, ms] = [chance.between(20, 200), chance.between(2_000, 5_000)];
    return onSome(fleet, chance, server, (wire) => wire.slow(byMs, ms));
  };
}

function silent(server, lost) {
  return (fleet, chance) => {
    const ms = chance.between(500, MOST_MS);
    return onSome(fleet, chance, server, (wire) => wire.swallow(ms, { lost }));
  };
}

async function onSome(fleet, chance, server, spoil) {
  const wires = fleet.members.map((member) => member.wires[server]);
  await Promise.all((chance.chance(0.5) ? wires : [chance.pick(wires)]).map(spoil));
}

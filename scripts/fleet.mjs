// PostgreSQL, RabbitMQ and a process for each service, without Docker: `npm run fleet`, or `npm run fleet -- domain-svc …`
// RECONCILER_DATABASE_URL and RECONCILER_AMQP_URL stand in for the servers. Ctrl-C stops everything.
import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join, relative } from 'node:path';
import { Member } from './fleet/member.mjs';
import { openServers } from './fleet/servers.mjs';
import { painter } from './fleet/painter.mjs';
import { prepare } from './prepare.mjs';
import { root } from './root.mjs';

const folder = join(root, '.homeostat-fleet');
const require = createRequire(import.meta.url);
const paint = painter(process.stdout);
const say = (sentence) => paint('fleet', sentence);

await prepare('apps/homeostat');
const { claimFolder } = require('../apps/homeostat/dist/folder.js');
const { makeFirstRegions } = require('../apps/homeostat/dist/prepare.js');
const { services } = require('../apps/homeostat/dist/up.js');
const { migrate } = require('../libs/platform/dist/database/migrate.js');

const chosen = servicesNamed(process.argv.slice(2));
const members = [];
let claimed = null;
let servers = null;
let stopping = null;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => stop(0));
await start().catch((error) => {
  say(error.message);
  return stop(1);
});

async function start() {
  claimed = await claimFolder(folder);
  servers = await openServers(folder, say);
  await migrate(servers.settings.RECONCILER_DATABASE_URL);
  await makeFirstRegions(servers.settings.RECONCILER_DATABASE_URL, ['local']);
  if (stopping) return;
  for (const service of chosen) members.push(new Member(service, servers.settings, paint, () => stop(1)));
  await Promise.all(members.map((member) => member.begin()));
  if (stopping) return;
  await claimed.announce(members[0].url);
  for (const { name, url } of members) say(`${name} is ready: ${url}/docs`);
  say(`Ctrl-C stops all. For a service beside these: set -a; . ${await noted(servers.settings)}; npx nx serve …`);
}

/** The file with what leads to the servers; a shell can read it, and nobody else: there is a password in it. */
async function noted(settings) {
  const file = join(folder, 'env');
  const lines = Object.entries(settings).map(([name, value]) => `${name}='${value}'\n`);
  await writeFile(file, lines.join(''), { mode: 0o600 });
  return relative(process.cwd(), file);
}

/** Services first, then the servers under them; the first cause counts. */
function stop(code) {
  stopping ??= (async () => {
    await Promise.all(members.map((member) => member.end()));
    await servers?.close();
    await claimed?.release();
    process.exit(code);
  })();
  return stopping;
}

function servicesNamed(names) {
  const unknown = names.filter((name) => !services.some((service) => service.name === name));
  if (unknown.length === 0) return services.filter(({ name }) => names.length === 0 || names.includes(name));
  console.error(`${unknown.join(', ')}: the services are ${services.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

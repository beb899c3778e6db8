// Load for a fleet that runs: `node test/load.mjs [--seconds 30] [--seed 1] http://127.0.0.1:7080 …`
// Deploys, builds, cancels, rolls back and pins at random; fails when it gets an answer that it should not get.
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startLoad } from './load/load.mjs';

const options = { seconds: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } };
const { values, positionals: urls } = parseArgs({ options, allowPositionals: true });
if (urls.length === 0) {
  console.error('Which fleet? node test/load.mjs http://127.0.0.1:7080 …');
  process.exit(2);
}
const load = await startLoad({ urls: () => urls, seed: Number(values.seed) });
await sleep(Number(values.seconds) * 1_000);
await load.stop();
await load.finish();
const { counts } = load.client;
console.log(
  `${counts.requests} requests (${counts.repeated} repeated), ${load.ledger.made.size} deployments, ${load.ledger.built.size} built`,
);
for (const surprise of load.surprises()) console.log(`  SURPRISE: ${surprise}`);
process.exitCode = load.surprises().length === 0 ? 0 : 1;

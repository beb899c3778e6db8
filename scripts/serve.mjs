// One service by itself, made ready first: `node scripts/serve.mjs [--watch] vm-pool-svc`
import { parseArgs } from 'node:util';
import { become, prepare } from './prepare.mjs';
import { watch } from './watch.mjs';

const options = { watch: { type: 'boolean', default: false } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const project = `apps/${positionals[0]}`;
await prepare(project);
if (values.watch) await watch(project, `${project}/dist/main.js`);
else await become(`${project}/dist/main.js`, []);

// One service by itself, made ready first: `node scripts/serve.mjs vm-pool-svc`
import { become, prepare } from './prepare.mjs';

const [app, ...args] = process.argv.slice(2);
await prepare(`apps/${app}`);
await become(`apps/${app}/dist/main.js`, args);

// homeostat's command line, made ready first: `node scripts/run.mjs <command> …`
import { become, prepare } from './prepare.mjs';

await prepare('apps/homeostat');
await become('apps/homeostat/dist/main.js', process.argv.slice(2));

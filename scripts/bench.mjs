// The benchmarks: `node scripts/bench.mjs <name> …`
import { become, prepare } from './prepare.mjs';

await prepare('bench');
await become('bench/dist/main.js', process.argv.slice(2));

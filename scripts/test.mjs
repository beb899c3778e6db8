// All specs, unit and integration; Jest's own arguments go through: `npm test -- --selectProjects unit -t backoff`
import { become, prepare } from './prepare.mjs';

await prepare();
await become('node_modules/jest/bin/jest.js', process.argv.slice(2));

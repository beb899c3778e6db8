// What is shipped, as a CycloneDX document on standard output: `npm run sbom`
// `npm sbom --omit dev` leaves out whatever a development dependency uses as well, so all is asked for, and what only
// development needs is left out here.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { root } from './root.mjs';

const DEVELOPMENT = 'cdx:npm:package:development';

const args = ['sbom', '--sbom-format', 'cyclonedx'];
const { stdout } = await promisify(execFile)('npm', args, { cwd: root, maxBuffer: 64 * 1024 * 1024 });
const whole = JSON.parse(stdout);
const components = whole.components.filter(
  ({ properties = [] }) => !properties.some(({ name }) => name === DEVELOPMENT),
);
const shipped = new Set([whole.metadata.component['bom-ref'], ...components.map((one) => one['bom-ref'])]);
const dependencies = whole.dependencies
  .filter(({ ref }) => shipped.has(ref))
  .map(({ ref, dependsOn }) => ({ ref, dependsOn: dependsOn.filter((other) => shipped.has(other)) }));
process.stdout.write(`${JSON.stringify({ ...whole, components, dependencies }, null, 2)}\n`);

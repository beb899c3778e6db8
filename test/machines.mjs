// The provider `docker` of VMs, for real: `node test/machines.mjs`
// Runs the specs that all providers share, and Docker's own, against a Docker engine: the one that answers, or one of our own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { prepare } from '../scripts/prepare.mjs';
import { root } from '../scripts/root.mjs';
import { openEngine } from './compose/engine.mjs';

await prepare();
const engine = await openEngine();
if (!engine) {
  console.log('SKIPPED: no Docker engine answers, and there are no tools to bring one up');
  process.exit(process.env.CI === 'true' ? 1 : 0);
}
const args = ['node_modules/jest/bin/jest.js', '--selectProjects', 'int', '--', 'machines.int.spec.ts'];
const env = { DOCKER_HOST: 'unix:///var/run/docker.sock', ...engine.env };
const specs = spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit' });
for (const signal of ['SIGTERM', 'SIGINT']) process.once(signal, () => specs.kill(signal));
const [code] = await once(specs, 'exit');
await engine.close();
process.exit(code ?? 1);

import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { root } from '../../scripts/root.mjs';

const run = promisify(execFile);
const images = ['postgres:17', 'rabbitmq:4-management', 'node:20-bookworm-slim'];
/** Beside the repository, on some machines: a private engine from Debian's packages, and stand-ins for the images. */
const tools = join(root, '../shared/tools');

/**
 * A Docker engine: the one that answers, or one of our own where there are tools for it. Resolves to the environment that
 * leads to it and how to leave it, or to null where there is none to be had.
 */
export async function openEngine() {
  if (await answers(process.env)) return { env: process.env, close: async () => undefined };
  const up = join(tools, 'dockerd-up.sh');
  if (!existsSync(up) || process.getuid?.() !== 0) return null;
  const known = await environmentOf(`${up} env`);
  const ours = !(await answers(known));
  const env = ours ? await environmentOf(up) : known;
  const close = async () => {
    if (ours) await run(up, ['stop']);
  };
  await run(join(tools, 'local-images.sh'), images, { env }).catch((error) =>
    close().then(() => Promise.reject(error)),
  );
  return { env, close };
}

function answers(env) {
  return run('docker', ['version'], { env }).then(
    () => true,
    () => false,
  );
}

/** What the environment is once a shell has evaluated what the command prints. */
async function environmentOf(command) {
  const { stdout } = await run('bash', ['-c', `exports=$(${command}) && eval "$exports" && env -0`]);
  const pairs = stdout.split('\0').filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1)]));
}

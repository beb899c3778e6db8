import { copyFile, mkdtemp, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { removeServer, startPostgres } from '../house/postmaster.mjs';
import { rowsOf } from '../house/database.mjs';

const require = createRequire(import.meta.url);

/**
 * What two directories live on: PostgreSQL with a database for each, a registry with a password that is no Zot, one of
 * our own, and a regsync by a name of its own, by which its processes are found. Needs a built house. Where the programs
 * are missing, says how to get them and ends the process: in CI that is a failure.
 */
export async function openServers() {
  const { migrate } = require('../../libs/platform/dist/database/migrate.js');
  const { programPath, registryUser, startRegistry } = require('../../libs/testing/dist/registries.js');
  const [registry, regsync] = ['registry', 'regsync'].map((name) => programPath(name, process.env.PATH));
  if (!registry || !regsync) {
    console.log('SKIPPED: a registry and regsync are missing: `node test/registries.mjs` brings them');
    process.exit(process.env.CI === 'true' ? 1 : 0);
  }
  const folder = await mkdtemp(join(tmpdir(), 'homeostat-directory-'));
  const ownRegsync = join(folder, 'regsync');
  await copyFile(regsync, ownRegsync);
  const dataDir = join(folder, 'data');
  const postgres = await startPostgres(dataDir);
  const [remote, local] = await Promise.all([
    startRegistry('distribution', registry, { secured: true }),
    startRegistry('distribution', registry),
  ]);
  await rowsOf(postgres.url, 'CREATE DATABASE peer');
  const peerUrl = Object.assign(new URL(postgres.url), { pathname: '/peer' }).href;
  await Promise.all([migrate(postgres.url), migrate(peerUrl)]);
  return {
    ...{ folder, url: postgres.url, peerUrl, remote, local, regsync: ownRegsync },
    /** The settings by which the peer, and those who ask it, log in to its registry. */
    peerLogin: {
      RECONCILER_LOCAL_REGISTRY_USERNAME: registryUser.username,
      RECONCILER_LOCAL_REGISTRY_PASSWORD: registryUser.password,
      RECONCILER_PEER_REGISTRY_USERNAME: registryUser.username,
      RECONCILER_PEER_REGISTRY_PASSWORD: registryUser.password,
    },
    /** The value of an Authorization header for the remote registry. */
    authorization: `Basic ${Buffer.from(`${registryUser.username}:${registryUser.password}`).toString('base64')}`,
    async close() {
      await Promise.all([remote.close(), local.close(), postgres.stop()]);
      await removeServer(dataDir, postgres.url);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

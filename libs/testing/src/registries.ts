import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

/** Registries that differ in paging, referrers, Accept and deletion; `node test/registries.mjs` brings their programs. */
export const registryKinds = ['distribution', 'docker-registry', 'memory'] as const;
export type RegistryKind = (typeof registryKinds)[number];

export interface TestRegistry {
  /** `127.0.0.1:port`. */
  readonly address: string;
  close(): Promise<void>;
}

/** The user that a registry with a password knows; the hash is bcrypt's. */
export const registryUser = { username: 'mirror', password: 'a password of these tests' };
const htpasswd = 'mirror:$2b$05$abcdefghijklmnopqrstuuNZXoYwOZZ79CQJTI72NccZArtpMGuIe\n';

const programs: Record<RegistryKind, string> = {
  distribution: 'registry',
  'docker-registry': 'docker-registry',
  memory: 'memory-registry',
};

/** Where `test/registries.mjs` puts programs that are built. */
export const programsDir = join(homedir(), '.cache', 'homeostat', 'bin');

/** The path of a program that suites need, from the cache or `PATH`; null where it is in neither. */
export function programPath(name: string, path = ''): string | null {
  const places = [programsDir, ...path.split(delimiter)].map((folder) => join(folder, name));
  return places.find((place) => existsSync(place)) ?? null;
}

/**
 * The program of a kind of registry, given the environment; null where it is missing: then say so loudly, and skip the
 * suite. Throws instead where `CI` is set, because a suite that is skipped there would go unnoticed.
 */
export function registryProgram(kind: RegistryKind, { PATH, CI }: NodeJS.ProcessEnv): string | null {
  const found = programPath(programs[kind], PATH);
  if (found !== null) return found;
  const how = `${programs[kind]} is missing: \`node test/registries.mjs\` brings it to ${programsDir}`;
  if (CI) throw new Error(how);
  process.stderr.write(`\n!! SKIPPED: everything with the registry "${kind}". ${how}\n\n`);
  return null;
}

/** Starts a registry on loopback, empty; `secured`: behind basic authentication, which `memory` does not have. */
export async function startRegistry(
  kind: RegistryKind,
  program: string,
  { secured = false, port = 0 }: { readonly secured?: boolean; readonly port?: number } = {},
): Promise<TestRegistry> {
  const folder = await mkdtemp(join(tmpdir(), 'homeostat-registry-'));
  const address = `127.0.0.1:${port === 0 ? await freePort() : port}`;
  const args = kind === 'memory' ? [address] : ['serve', await configured(folder, address, secured)];
  const child = spawn(program, args, { stdio: 'ignore', env: { OTEL_TRACES_EXPORTER: 'none' } });
  try {
    await answering(child, address);
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
  const close = async (): Promise<void> => {
    await ended(child);
    await rm(folder, { recursive: true, force: true });
  };
  return { address, close };
}

async function configured(folder: string, address: string, secured: boolean): Promise<string> {
  const users = join(folder, 'htpasswd');
  await writeFile(users, htpasswd);
  const storage = { filesystem: { rootdirectory: join(folder, 'data') }, delete: { enabled: true } };
  const auth = secured ? { auth: { htpasswd: { realm: 'test', path: users } } } : {};
  const log = { level: 'error', accesslog: { disabled: true } };
  const file = join(folder, 'config.yml');
  // JSON is YAML.
  await writeFile(file, JSON.stringify({ version: 0.1, log, storage, http: { addr: address }, ...auth }));
  return file;
}

async function answering(child: ChildProcess, address: string): Promise<void> {
  const end = Date.now() + 20_000;
  while (
    !(await fetch(`http://${address}/v2/`).then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`${child.spawnfile} ended with ${child.exitCode}`);
    if (Date.now() > end) throw new Error(`${child.spawnfile} does not answer on ${address}`);
    await new Promise((later) => setTimeout(later, 20));
  }
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const end = new Promise((exited) => child.once('exit', exited));
  child.kill('SIGKILL');
  await end;
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  const { port } = server.address() as { port: number };
  await new Promise((closed) => server.close(closed));
  return port;
}

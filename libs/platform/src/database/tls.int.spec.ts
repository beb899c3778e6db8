import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, type Server, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Unavailable } from '@homeostat/reconcile';
import { newAuthority } from '@homeostat/testing';
import { findBinaries } from '../embedded/binaries';
import { makeCluster } from '../embedded/cluster';
import { type Home, openHome } from '../embedded/home';
import { Database } from './database';

const password = 'pass-word-of-nobody';

let folder: string;
let home: Home;
let server: ChildProcess;
let port: number;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'homeostat-tls-'));
  await chmod(folder, 0o711);
  home = await openHome(join(folder, 'data'), () => undefined);
  const binaries = await findBinaries(home, undefined);
  await makeCluster(home, binaries, false);
  await makeCertificates();
  port = await freePort();
  server = await startServer(binaries.postgres);
  await started();
});

afterAll(async () => {
  if (server?.kill('SIGINT')) await once(server, 'exit');
  await rm(home.socketDir, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

/** Two issuers, and a certificate of the first for the name localhost. */
async function makeCertificates(): Promise<void> {
  const [ours, theirs] = await Promise.all([newAuthority('ours'), newAuthority('theirs')]);
  const db = await ours.issue('localhost');
  await writeFile(join(folder, 'ours.crt'), ours.certificate);
  await writeFile(join(folder, 'theirs.crt'), theirs.certificate);
  await writeFile(join(folder, 'db.crt'), db.certificate);
  await writeFile(join(folder, 'db.key'), db.key);
  for (const name of ['db.key', 'db.crt']) {
    await chmod(join(folder, name), 0o600);
    await chown(join(folder, name), home.account.uid, home.account.gid);
  }
}

async function startServer(program: string): Promise<ChildProcess> {
  const access = 'hostssl all guest all scram-sha-256\nhostssl all all all trust\n';
  await writeFile(join(home.cluster, 'pg_hba.conf'), access);
  const settings = {
    listen_addresses: 'localhost',
    ssl: 'on',
    ssl_cert_file: join(folder, 'db.crt'),
    ssl_key_file: join(folder, 'db.key'),
  };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const child = spawn(program, ['-D', home.cluster, '-k', home.socketDir, '-p', String(port), ...args], {
    ...home.account,
    cwd: '/',
    stdio: 'ignore',
  });
  await once(child, 'spawn');
  return child;
}

/** `on` over TLS, `off` without; or why there is no way. */
async function reach(query: string, host = 'localhost', at = port): Promise<string> {
  return String(await failureOf(`postgres://homeostat@${host}:${at}/postgres?${query}`));
}

async function failureOf(url: string): Promise<unknown> {
  const database = new Database({ url, role: null, application: 'tls', connections: 1 });
  try {
    const sql = 'SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()';
    return (await database.query<{ ssl: boolean }>(sql))[0]!.ssl ? 'on' : 'off';
  } catch (error) {
    return error;
  } finally {
    await database.close();
  }
}

async function freePort(): Promise<number> {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  const { port: free } = holder.address() as AddressInfo;
  await new Promise((resolve) => holder.close(resolve));
  return free;
}

async function started(): Promise<void> {
  for (const endMs = Date.now() + 10_000; ; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const answer = await reach('sslmode=no-verify');
    if (answer === 'on') return;
    if (Date.now() > endMs) throw new Error(answer);
  }
}

const root = (issuer: string) => `sslrootcert=${join(folder, `${issuer}.crt`)}`;

describe('TLS to the database', () => {
  it('is used and checked with sslmode=verify-full and the certificate of the issuer', async () => {
    expect(await reach(`sslmode=verify-full&${root('ours')}`)).toBe('on');
  });

  it.each([
    ['another issuer', () => reach(`sslmode=verify-full&${root('theirs')}`), /certificate/],
    ['no issuer, for ours is none of the public ones', () => reach('sslmode=verify-full'), /certificate/],
    [
      'another name than that of the certificate',
      () => reach(`sslmode=verify-full&${root('ours')}`, '127.0.0.1'),
      /altnames/,
    ],
    ['no TLS at all, where the server wants it', () => reach('sslmode=disable'), /no encryption/],
  ])('fails with %s', async (_what, attempt, why) => {
    expect(await attempt()).toMatch(why);
  });

  it('is as a database that is away where the certificate is not to be trusted, and says why', async () => {
    const error = await failureOf(
      `postgres://homeostat@127.0.0.1:${port}/postgres?sslmode=verify-full&${root('ours')}`,
    );
    expect(error).toBeInstanceOf(Unavailable);
    expect(String(error)).toMatch(/cannot be reached.*altnames/);
  });

  it('is never given up because somebody on the way says that the server has none', async () => {
    const liar: Server = createServer((socket) => socket.once('data', () => socket.write('N')));
    liar.listen(0, '127.0.0.1');
    await once(liar, 'listening');
    const { port: at } = liar.address() as AddressInfo;
    expect(await reach('sslmode=verify-full', 'localhost', at)).toMatch(/Unavailable.*does not support SSL/);
    await new Promise((resolve) => liar.close(resolve));
  });
});

describe('a password', () => {
  it('is in no error, when it is wrong or nobody answers', async () => {
    const tls = `sslmode=verify-full&${root('ours')}`;
    const refused = await failureOf(`postgres://guest:${password}@localhost:${port}/postgres?${tls}`);
    const away = await failureOf(`postgres://guest:${password}@localhost:1/postgres`);
    expect(String(refused)).toMatch(/password authentication failed/);
    expect(String(away)).toMatch(/cannot be reached/);
    for (const error of [refused, away]) {
      const told =
        inspect(error, { depth: 20, showHidden: true }) + JSON.stringify(error) + String((error as Error).stack);
      expect(told).not.toContain(password);
    }
  });
});

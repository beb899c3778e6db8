import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { transformFile } from '@swc/core';
import { Client } from 'pg';
import { type EmbeddedPostgres, startPostgres } from './postgres';

// Each makes a cluster or two, perhaps on a busy machine.
jest.setTimeout(30_000);

let root: string;
let started: EmbeddedPostgres[];
let processes: ChildProcess[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'embedded postgres '));
  // Started by root, the server is nobody and has to get in.
  await chmod(root, 0o711);
  started = [];
  processes = [];
});

afterEach(async () => {
  for (const child of processes) child.kill('SIGKILL');
  for (const { url, stop } of started) {
    await stop();
    await rm(new URL(url).searchParams.get('host')!, { recursive: true, force: true });
  }
  await rm(root, { recursive: true });
});

async function start(dataDir: string, log?: (line: string) => void): Promise<EmbeddedPostgres> {
  const server = await startPostgres({ dataDir, durable: false, log });
  started.push(server);
  return server;
}

async function query(url: string, text: string): Promise<object[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<object>(text)).rows;
  } finally {
    await client.end();
  }
}

/** Starts the server from another process, which then says so in a line and does what `then` says. */
async function startElsewhere(dataDir: string, then = 'setInterval(() => {}, 1000)') {
  const compiled = await compile();
  const code = `require(${JSON.stringify(join(compiled, 'postgres.js'))})
    .startPostgres({ dataDir: ${JSON.stringify(dataDir)}, durable: false })
    .then(({ url, adopted }) => console.log(JSON.stringify({ url, adopted })))
    .then(() => { ${then} })`;
  const modules = join(dirname(require.resolve('pg/package.json')), '..');
  const child = spawn(process.execPath, ['-e', code], {
    env: { NODE_PATH: modules },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  processes.push(child);
  const [line] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, ...(JSON.parse(line.toString()) as { url: string; adopted: boolean }) };
}

async function compile(): Promise<string> {
  const target = await mkdtemp(join(root, 'compiled-'));
  const sources = (await readdir(__dirname)).filter((name) => !name.endsWith('.spec.ts'));
  for (const name of sources) {
    const { code } = await transformFile(join(__dirname, name), {
      jsc: { target: 'es2023', parser: { syntax: 'typescript' } },
      module: { type: 'commonjs' },
    });
    await writeFile(join(target, name.replace(/\.ts$/, '.js')), code);
  }
  return target;
}

function lockFile(dataDir: string): string {
  return join(dataDir, 'postgres/postmaster.pid');
}

async function postmaster(dataDir: string): Promise<number> {
  return parseInt(await readFile(lockFile(dataDir), 'utf8'), 10);
}

async function until(met: () => Promise<boolean>): Promise<void> {
  while (!(await met())) await pause(10);
}

describe('the embedded PostgreSQL', () => {
  it('finds its data again after a stop, in a relative path with a space', async () => {
    const dataDir = relative(process.cwd(), join(root, 'some data'));
    const first = await start(dataDir);
    expect(first.adopted).toBe(false);
    await query(first.url, 'CREATE TABLE kept AS SELECT 42 AS answer');
    await first.stop();
    await first.stop();
    await expect(query(first.url, 'SELECT')).rejects.toThrow('ENOENT');

    const second = await start(dataDir);
    expect(await query(second.url, 'SELECT * FROM kept')).toEqual([{ answer: 42 }]);
    expect(second).toMatchObject({ adopted: false, url: first.url });
  });

  it('listens on a socket only, in a directory that is closed to others', async () => {
    const { url } = await start(join(root, 'data'));
    expect(await query(url, 'SHOW listen_addresses')).toEqual([{ listen_addresses: '' }]);
    const directory = new URL(url).searchParams.get('host')!;
    expect((await stat(directory)).mode & 0o777).toBe(0o700);
    expect(join(directory, '.s.PGSQL.5432').length).toBeLessThan(108);
  });

  it('adopts the server of a process that was killed, and can end it', async () => {
    const dataDir = join(root, 'data');
    const killed = await startElsewhere(dataDir);
    const pid = await postmaster(dataDir);
    killed.child.kill('SIGKILL');
    await once(killed.child, 'exit');

    const next = await start(dataDir);
    expect(next).toMatchObject({ adopted: true, url: killed.url });
    expect(await postmaster(dataDir)).toBe(pid);
    await next.stop();
    await expect(query(next.url, 'SELECT')).rejects.toThrow('ENOENT');
  });

  it('ends when the process that started it exits', async () => {
    const dataDir = join(root, 'data');
    await startElsewhere(dataDir, 'process.exit(3)');
    await until(() =>
      stat(lockFile(dataDir)).then(
        () => false,
        () => true,
      ),
    );
    expect((await start(dataDir)).adopted).toBe(false);
  });

  it('lets one of several processes that start at once go on, and the others adopt its server', async () => {
    const dataDir = join(root, 'data');
    const all = await Promise.all([1, 2, 3].map(() => startElsewhere(dataDir)));
    expect(all.map(({ adopted }) => adopted).sort()).toEqual([false, true, true]);
    expect((await start(dataDir)).adopted).toBe(true);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.log']);
  });

  it('starts over after a crash in the middle of the first start, and sweeps up an old one', async () => {
    const dataDir = join(root, 'data');
    for (const name of ['postgres.init-young', 'postgres.init-old']) {
      await mkdir(join(dataDir, name), { recursive: true });
      await writeFile(join(dataDir, name, 'PG_VERSION'), '18\n');
    }
    await chmod(dataDir, 0o711);
    await utimes(join(dataDir, 'postgres.init-old'), 0, 0);
    expect(await query((await start(dataDir)).url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
    expect((await readdir(dataDir)).sort()).toEqual(['postgres', 'postgres.init-young', 'postgres.log']);
  });

  it('starts after a crash of the machine, though another program now has the process id of the lock', async () => {
    const dataDir = join(root, 'data');
    const { url, stop } = await start(dataDir);
    const lock = await readFile(lockFile(dataDir), 'utf8');
    await stop();
    const { uid, gid } = await stat(join(dataDir, 'postgres'));
    const other = spawn('/bin/sleep', ['60'], { uid, gid, stdio: 'ignore' });
    processes.push(other);
    await once(other, 'spawn');
    await writeFile(lockFile(dataDir), lock.replace(/^\d+/, String(other.pid)));

    expect((await start(dataDir)).adopted).toBe(false);
    expect(await query(url, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
  });

  it('says what its log says when it cannot start', async () => {
    const dataDir = join(root, 'data');
    await (await start(dataDir)).stop();
    await rm(join(dataDir, 'postgres/global/pg_control'));
    await expect(start(dataDir)).rejects.toThrow(/does not start[^]*pg_control/);
  });

  const asRoot = process.getuid?.() === 0 ? it : it.skip;
  asRoot('keeps the data elsewhere, and says so, when root has a folder that the server cannot get into', async () => {
    await chmod(root, 0o700);
    const dataDir = join(root, 'data');
    const lines: string[] = [];
    await (await start(dataDir, (line) => lines.push(line))).stop();
    const place = (await readFile(join(dataDir, 'postgres.location'), 'utf8')).trim();
    expect(lines).toEqual([expect.stringContaining(`its data are in ${place}`)]);
    // Noted once, the place stays.
    await chmod(root, 0o711);
    await (await start(dataDir, (line) => lines.push(line))).stop();
    expect(lines).toHaveLength(1);
    expect(await readdir(dataDir)).not.toContain('postgres');
    await rm(place, { recursive: true });
  });
});

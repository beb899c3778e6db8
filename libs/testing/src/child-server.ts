import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** A server of another program, on loopback. */
export interface ChildServer {
  /** `http://127.0.0.1:port`. */
  readonly url: string;
  /** Ends it at once. */
  close(): Promise<void>;
}

export interface ServerCommand {
  readonly program: string;
  readonly args: (port: number) => readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

const startMs = 60_000;

/** Starts a server on a free port and waits until it answers HTTP; throws with the end of its output when it does not. */
export async function startServer({ program, args, env, cwd }: ServerCommand): Promise<ChildServer> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, [...args(port)], { stdio: ['ignore', 'pipe', 'pipe'], env, cwd });
  const said = lastWords(child);
  try {
    await answering(child, url);
  } catch (error) {
    await ended(child);
    throw new Error(`${program}: ${(error as Error).message}\n${said()}`, { cause: error });
  }
  return { url, close: () => ended(child) };
}

function lastWords(child: ChildProcess): () => string {
  let text = '';
  const keep = (piece: Buffer): void => void (text = (text + piece.toString()).slice(-4_000));
  child.stdout!.on('data', keep);
  child.stderr!.on('data', keep);
  return () => text;
}

async function answering(child: ChildProcess, url: string): Promise<void> {
  const end = Date.now() + startMs;
  while (
    !(await fetch(url).then(
      () => true,
      () => false,
    ))
  ) {
    if (child.exitCode !== null) throw new Error(`ended with ${child.exitCode}`);
    if (Date.now() > end) throw new Error(`does not answer on ${url}`);
    await new Promise((later) => setTimeout(later, 50));
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

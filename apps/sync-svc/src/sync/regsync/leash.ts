import type { Writable } from 'node:stream';
import { execa } from 'execa';

/**
 * Runs a program under a shell that holds a pipe to us: a line in it ends the program politely, its end kills the whole
 * process group, as does the end of the program. So a process of ours that is killed leaves nothing behind: the pipe ends
 * with it.
 */
const leash = `
exec 4<&0 </dev/null
"$@" <&4 3<&- 4<&- &
child=$!
exec 4<&-
( read -r _ <&3 && kill -TERM "$child" && read -r _ <&3; kill -KILL 0 ) &
wait "$child"
kill -KILL 0`;

/** How long a program may take to end politely. */
const GRACE_MS = 2_000;
/** A longer line is cut. */
const LONGEST_LINE = 64 * 1024;

export interface Leashed {
  readonly program: string;
  readonly args: readonly string[];
  /** Its standard input. */
  readonly input: string;
  /** Told every line of its standard error. */
  readonly told: (line: string) => void;
}

/**
 * Runs a program with an empty environment until it ends, or is ended because of `signal`; whatever it has started ends
 * with it. Its standard output and its exit code are dropped. Throws where there is no shell.
 */
export async function onLeash({ program, args, input, told }: Leashed, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const child = execa('/bin/sh', ['-c', leash, 'sh', program, ...args], {
    ...{ env: {}, extendEnv: false, cwd: '/' },
    ...{ input, stdio: ['pipe', 'ignore', 'pipe', 'pipe'] },
    ...{ detached: true, cleanup: false, buffer: false, reject: false },
  });
  const held = child.stdio[3] as unknown as Writable;
  // It may end before it has read everything, or while it is told to.
  held.on('error', () => undefined);
  const end = (): void => {
    held.write('\n');
    setTimeout(() => held.end(), GRACE_MS).unref();
  };
  signal.addEventListener('abort', end, { once: true });
  child.stderr.on('data', lines(told));
  try {
    const { signal: killed, shortMessage } = await child;
    if (killed === undefined) throw new Error(shortMessage);
  } finally {
    signal.removeEventListener('abort', end);
    held.destroy();
  }
}

/** Cuts what comes in pieces into lines. */
function lines(told: (line: string) => void): (piece: Buffer) => void {
  let open = '';
  return (piece) => {
    const parts = (open + piece.toString('utf8')).split('\n');
    open = parts.pop()!.slice(0, LONGEST_LINE);
    for (const part of parts) told(part);
  };
}

import { onLeash } from './leash';

const { signal } = new AbortController();

/** Runs a script; returns what it said. */
async function run(script: string, stop = signal, input = ''): Promise<string[]> {
  const said: string[] = [];
  const told = (line: string) => void said.push(line);
  await onLeash({ program: '/bin/sh', args: ['-c', script], input, told }, stop);
  return said;
}

async function gone(pids: readonly number[]): Promise<void> {
  const isThere = (pid: number): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  while (pids.some(isThere)) await new Promise((later) => setTimeout(later, 20));
}

describe('a program on the leash', () => {
  it('is given its input, and is heard line by line', async () => {
    expect(await run('cat >&2; echo ignored; exit 3', signal, 'one\ntwo\n')).toEqual(['one', 'two']);
  });

  it('may leave its input unread', async () => {
    expect(await run('exit 0', signal, 'x'.repeat(1_000_000))).toEqual([]);
  });

  it('may be missing, which ends it at once', async () => {
    await onLeash({ program: '/no/such/program', args: [], input: '', told: () => undefined }, signal);
  });

  it('takes what it has started with it', async () => {
    const said = await run('sleep 60 & echo $! >&2');
    await gone(said.map(Number));
  });

  it('holds no more of a line than it may have', async () => {
    const said = await run('head -c 3000000 /dev/zero | tr "\\0" a >&2; echo >&2');
    expect(said.join('').length).toBeLessThan(200_000);
  });

  it('is ended politely', async () => {
    const stop = new AbortController();
    const said: string[] = [];
    const told = (line: string): void => {
      said.push(line);
      if (line === 'up') stop.abort(new Error('enough'));
    };
    const script = `trap 'echo bye >&2; exit' TERM; echo up >&2; sleep 60 & wait`;
    await onLeash({ program: '/bin/sh', args: ['-c', script], input: '', told }, stop.signal);
    expect(said).toEqual(['up', 'bye']);
  });

  it('is killed, with all that it has started, where it does not end', async () => {
    const stop = new AbortController();
    const pids: number[] = [];
    const told = (line: string): void => {
      pids.push(Number(line));
      if (pids.length === 2) stop.abort(new Error('enough'));
    };
    const script = `trap '' TERM; sleep 60 & echo $! >&2; echo $$ >&2; wait; sleep 60`;
    await onLeash({ program: '/bin/sh', args: ['-c', script], input: '', told }, stop.signal);
    await gone(pids);
  });

  it('is not started where nobody wants it any more', async () => {
    await expect(run('echo started >&2', AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough');
  });
});

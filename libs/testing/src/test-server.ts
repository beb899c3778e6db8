import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the server of the Jest run with that process id keeps its data, and its URL in the file `url`. */
export function serverDir(jestPid: number): string {
  return join(tmpdir(), `homeostat-test-${jestPid}`);
}

/** The URL of this Jest run's server: read by its workers or, with one worker, by the very process that started it. */
export async function serverUrl(): Promise<string> {
  for (const pid of [process.pid, process.ppid]) {
    const url = await readFile(join(serverDir(pid), 'url'), 'utf8').catch(() => undefined);
    if (url !== undefined) return url;
  }
  throw new Error(
    'no database server for tests: name the spec *.int.spec.ts, so that Jest runs it in the project `int`',
  );
}

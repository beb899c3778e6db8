import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { awsEnvironment, type LakehousePrograms } from './lakehouse-servers';

/** A Python program that takes a step for each line of its input, and answers with a line of JSON. */
export interface Writer<Answer> {
  /** Throws with the end of what the program said when it ends instead of an answer. */
  take(step: string): Promise<Answer>;
  close(): Promise<void>;
}

/** Starts a program with the writers' libraries, and what they need to find S3 and Glue. */
export function startWriter<Answer>(
  { python, path }: LakehousePrograms,
  program: string,
  args: readonly string[],
): Writer<Answer> {
  const child = spawn(python, [program, ...args], { env: { PATH: path, ...awsEnvironment() } });
  let said = '';
  child.stderr.on('data', (piece: Buffer) => (said = (said + piece.toString()).slice(-4_000)));
  // Whoever asks next learns that it has ended.
  child.stdin.on('error', () => undefined);
  const ended = once(child, 'close');
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return {
    async take(step) {
      child.stdin.write(`${step}\n`);
      const { value, done } = await lines.next();
      if (!done) return JSON.parse(value) as Answer;
      await ended;
      throw new Error(`${program} ended at "${step}":\n${said}`);
    },
    async close() {
      child.kill('SIGKILL');
      await ended;
    },
  };
}

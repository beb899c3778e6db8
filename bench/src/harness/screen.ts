const { stderr } = process;

/** Shows how far something is: on a terminal in one line that is written over, elsewhere not at all. */
export function progress(line: string): void {
  if (stderr.isTTY) stderr.write(`\r\x1b[K${line.slice(0, stderr.columns - 1)}`);
}

/** Says something that stays. */
export function say(line: string): void {
  stderr.write(`${stderr.isTTY ? '\r\x1b[K' : ''}${line}\n`);
}

import fs from 'node:fs';

/** All that is written to open files from now on, such as the log, is kept here instead; until `restore`. */
export function captureOutput(): { readonly lines: string[]; restore(): void } {
  const { write, writeSync } = fs;
  const lines: string[] = [];
  const note = (_fd: number, text: unknown, ...rest: unknown[]): number => {
    const bytes = Buffer.byteLength(String(text));
    lines.push(String(text));
    (rest.at(-1) as ((error: null, bytes: number) => void) | undefined)?.(null, bytes);
    return bytes;
  };
  Object.assign(fs, { write: note, writeSync: note });
  return { lines, restore: () => void Object.assign(fs, { write, writeSync }) };
}

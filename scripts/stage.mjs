import { spawn } from 'node:child_process';
import { root } from './root.mjs';

/** The time since `sinceMs`, for people. */
export const elapsed = (sinceMs) => `${((Date.now() - sinceMs) / 1000).toFixed(1)} s`;

/** Runs `work` under one line of progress on stderr; on a terminal the seconds go by. */
export async function stage(title, work) {
  const { stderr } = process;
  const startedMs = Date.now();
  const show = () => stderr.write(`\r\x1b[K${title} … ${elapsed(startedMs)}`);
  const ticking = stderr.isTTY ? setInterval(show, 100) : undefined;
  if (!ticking) stderr.write(`${title} …\n`);
  try {
    return await work();
  } finally {
    clearInterval(ticking);
    if (ticking) show();
    stderr.write(ticking ? '\n' : `${title}: ${elapsed(startedMs)}\n`);
  }
}

/** Runs a program in the workspace's folder to its end, or to ours: its exit code, and all it printed. */
export function output(command, ...args) {
  return new Promise((done, failed) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const end = () => child.kill();
    const text = [];
    process.once('exit', end);
    child.stdout.on('data', (part) => text.push(part));
    child.stderr.on('data', (part) => text.push(part));
    child.once('error', failed);
    child.once('close', (code) => {
      process.off('exit', end);
      done({ code: code ?? 1, text: Buffer.concat(text).toString() });
    });
  });
}

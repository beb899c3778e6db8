import { mkdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

const staleAfterMs = 15_000;

/**
 * Runs `work` while no other process runs under the same folder name. Only one process can make the folder; one whose
 * maker has died, or has not touched it for 15 s, is taken over.
 */
export async function alone(folder, work) {
  while (!taken(folder)) {
    if (abandoned(folder)) rmSync(folder, { recursive: true, force: true });
    else await new Promise((done) => setTimeout(done, 200));
  }
  const leave = () => rmSync(folder, { recursive: true, force: true });
  const interrupted = () => process.exit(130);
  const beat = setInterval(() => touch(folder), staleAfterMs / 5);
  process.once('exit', leave).once('SIGINT', interrupted).once('SIGTERM', interrupted);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    process.off('exit', leave).off('SIGINT', interrupted).off('SIGTERM', interrupted);
    leave();
  }
}

function taken(folder) {
  try {
    mkdirSync(folder);
    writeFileSync(join(folder, 'owner'), `${hostname()} ${process.pid}`);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
}

function touch(folder) {
  const now = new Date();
  utimesSync(folder, now, now);
}

function abandoned(folder) {
  try {
    if (Date.now() - statSync(folder).mtimeMs > staleAfterMs) return true;
    const [host, pid] = readFileSync(join(folder, 'owner'), 'utf8').split(' ');
    return host === hostname() && !alive(Number(pid));
  } catch {
    return false; // left, or not signed yet
  }
}

function alive(pid) {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
}

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { root } from './root.mjs';

const say = (sentence) => process.stderr.write(`${sentence}\n`);

/**
 * Compiles a project whenever a source of it, or of what it uses, changes, and runs the program anew each time there is no
 * error. One that ends by itself is started at the next change. Ends with the program's exit code when told to stop.
 */
export async function watch(project, program) {
  const compiler = node(['node_modules/typescript/bin/tsc', '-b', '--watch', '--preserveWatchOutput', project], 'pipe');
  let running = null;
  let stopping = false;
  let turn = Promise.resolve();
  const next = (work) => (turn = turn.then(work));
  const restart = async () => {
    if (running) await running.end();
    if (stopping) return;
    say(`${program} starts`);
    running = begin(program);
  };
  const stop = async () => {
    compiler.kill();
    process.exit(running ? await running.end() : 0);
  };
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP']) {
    process.on(signal, () => {
      if (!stopping) next(stop);
      stopping = true;
    });
  }
  for await (const line of createInterface(compiler.stdout)) {
    const [, errors] = /Found (\d+) errors?\. Watching/.exec(line) ?? [];
    if (errors === '0') next(restart);
    else if (line.includes('error') || errors) say(line);
  }
}

/** Starts the program; `end` asks it to stop, and resolves to its exit code. */
function begin(program) {
  const child = node([program], 'inherit');
  let asked = false;
  const ended = once(child, 'exit').then(([code, signal]) => {
    if (!asked) say(`${program} ended with ${signal ?? code}; it is started again when a source changes`);
    return code ?? 1;
  });
  return {
    end() {
      asked = true;
      child.kill('SIGTERM');
      return ended;
    },
  };
}

function node(args, stdout) {
  return spawn(process.execPath, args, { cwd: root, stdio: ['ignore', stdout, 'inherit'] });
}

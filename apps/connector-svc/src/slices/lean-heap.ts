import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let under = 0;

/** Work that is over before leaves too little to be worth a collection. */
const SHORT_MS = 500;

/**
 * Runs work that leaves much garbage. While it goes on V8 looks for garbage once the heap has grown by three fifths, and not only when it has grown
 * fourfold: 45 MB are ever alive, but Delta's checkpoint of 100 000 files took 375 MB with other limits, and so takes 254 MB (Iceberg's files: 284 and
 * 205 MB), beside much other work on two cores, when V8 is slowest to collect.
 */
export async function onLeanHeap<T>(work: () => Promise<T>): Promise<T> {
  under += 1;
  setFlagsFromString('--heap-growing-percent=60');
  const timer = setTimeout(collect, SHORT_MS).unref();
  try {
    return await work();
  } finally {
    clearTimeout(timer);
    under -= 1;
    // None given: V8 goes by its own rules again.
    if (under === 0) setFlagsFromString('--heap-growing-percent=0');
  }
}

/** V8 works out how far the heap may grow after each collection only: until the first one it would be by its own rules. */
function collect(): void {
  if (under > 1) return;
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as (how: { type: 'major'; execution: 'async' }) => Promise<void>;
  setFlagsFromString('--no-expose-gc');
  void gc({ type: 'major', execution: 'async' });
}

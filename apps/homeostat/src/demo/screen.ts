import type { WriteStream } from 'node:tty';
import Table from 'cli-table3';
import { type Wish, isGranted } from './walk';

/** The pool as the demo shows it. */
export interface PoolSeen {
  readonly wanted: number;
  readonly pooling: number;
  readonly initializing: number;
  readonly claimed: number;
}

const WIDTH = 24;

/** Shows how the world goes on: a live table on a terminal, a line for each change elsewhere. */
export class Screen {
  private lines = 0;
  private readonly said = new Map<string, string>();

  constructor(
    private readonly out: Pick<WriteStream, 'write' | 'isTTY'>,
    private readonly total: number,
    private readonly startedAtMs: number,
  ) {}

  show(wishes: readonly Wish[], pool: PoolSeen): void {
    if (this.out.isTTY) this.draw(wishes, pool);
    else for (const wish of wishes) this.tell(wish);
  }

  private draw(wishes: readonly Wish[], pool: PoolSeen): void {
    const table = new Table({
      head: ['wish', 'state', 'why'],
      colWidths: [44, 14, 60],
      style: { head: ['bold'], compact: true },
    });
    for (const { label, now } of wishes) table.push([label, now.status, now.message ?? '']);
    const done = wishes.filter(isGranted).length;
    const text = `${table.toString()}\n${bar(done, this.total)} ${done} of ${this.total} as they should be, ${this.seconds()}\n${poolLine(pool)}\n`;
    this.out.write(`${this.lines > 0 ? `\u001b[${this.lines}A\u001b[J` : ''}${text}`);
    this.lines = text.split('\n').length - 1;
  }

  private tell({ id, label, now }: Wish): void {
    const state = now.reason && now.status !== 'ready' ? `${now.status} (${now.reason})` : now.status;
    const before = this.said.get(id);
    if (before === state) return;
    this.said.set(id, state);
    this.out.write(`${this.seconds().padStart(7)}  ${label}: ${before ? `${before} → ` : ''}${state}\n`);
  }

  private seconds(): string {
    return `${((performance.now() - this.startedAtMs) / 1000).toFixed(1)} s`;
  }
}

function bar(done: number, total: number): string {
  const filled = Math.round((WIDTH * done) / total);
  return '█'.repeat(filled) + '░'.repeat(WIDTH - filled);
}

function poolLine({ wanted, pooling, initializing, claimed }: PoolSeen): string {
  return `pool: ${pooling} of ${wanted} VMs free, ${initializing} on their way, ${claimed} serve a deployment`;
}

import type { NextClaim } from '../notebook';
import type { Note } from './rows';

/** A row of the toy world's own tables. */
export interface Thing {
  readonly state: string;
  readonly wanted: number;
  readonly done: number;
}

interface Stored {
  readonly thing: Thing;
  readonly version: number;
}

/** The toy world's tables, and how often each of its effects has been committed. */
export class Tables {
  readonly effects = new Map<string, number>();
  private readonly stored = new Map<string, Stored>();

  get(kind: string, key: string): Thing | undefined {
    return this.stored.get(`${kind} ${key}`)?.thing;
  }

  /** The keys of a kind, in order. */
  keys(kind: string): string[] {
    const ids = [...this.stored.keys()].filter((id) => id.startsWith(`${kind} `));
    return ids.map((id) => id.slice(kind.length + 1)).sort();
  }

  versionOf(id: string): number {
    return this.stored.get(id)?.version ?? 0;
  }

  set(id: string, thing: Thing | null): void {
    if (thing) this.stored.set(id, { thing, version: this.versionOf(id) + 1 });
    else this.stored.delete(id);
  }
}

/** Thrown at a commit when a row has changed since it was read: the work runs again, as it would behind a row lock. */
export class Contended extends Error {}

/** A transaction of the toy world: its writes, wishes for looks and results appear all together, or not at all. */
export class Unit {
  readonly notes: Note[] = [];
  readonly wishes: { readonly kind: string; readonly key: string }[] = [];
  next: (NextClaim & { readonly kind: string }) | null = null;
  private readonly read = new Map<string, number>();
  private readonly writes = new Map<string, Thing | null>();
  private readonly effects: string[] = [];

  constructor(
    private readonly tables: Tables,
    /** Every statement takes a while, and may fail. */
    readonly statement: () => Promise<void>,
  ) {}

  get(kind: string, key: string): Thing | undefined {
    const id = `${kind} ${key}`;
    if (!this.read.has(id)) this.read.set(id, this.tables.versionOf(id));
    return this.writes.has(id) ? (this.writes.get(id) ?? undefined) : this.tables.get(kind, key);
  }

  set(kind: string, key: string, thing: Thing | null, effect: string): void {
    this.get(kind, key);
    this.writes.set(`${kind} ${key}`, thing);
    this.effects.push(effect);
  }

  wake(kind: string, key: string): void {
    this.wishes.push({ kind, key });
  }

  commit(): void {
    for (const [id, version] of this.read) if (this.tables.versionOf(id) !== version) throw new Contended();
    for (const [id, thing] of this.writes) this.tables.set(id, thing);
    for (const effect of this.effects) this.tables.effects.set(effect, (this.tables.effects.get(effect) ?? 0) + 1);
  }
}

import { BadArtifact } from '../../registry/registry.errors';

const DEEPEST = 64;
const unstorable = /[\0\p{Cs}]/u;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads JSON strictly: UTF-8 without a byte order mark, no name twice in one object, no NUL and no half surrogate pair,
 * nested at most 64 deep. Throws BadArtifact with the fault.
 */
export function parseStrictly(bytes: Buffer): { readonly text: string; readonly value: unknown } {
  const text = decoded(bytes);
  if (text.startsWith('\uFEFF')) throw new BadArtifact('ByteOrderMark', 'it begins with a byte order mark');
  const value = parsed(text);
  new Scan(text).run();
  return { text, value };
}

function decoded(bytes: Buffer): string {
  try {
    return utf8.decode(bytes);
  } catch {
    throw new BadArtifact('NotJson', 'it is not UTF-8');
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new BadArtifact('NotJson', 'it is not JSON');
  }
}

/** Walks through text that is known to be JSON, without recursion, and finds what JSON.parse passes over. */
class Scan {
  /** Names so far of each object around the present place; null for an array. */
  private readonly around: (Set<string> | null)[] = [];
  private nameNext = false;
  /** Where the next escape by number is; -1 before the first search, Infinity where there is none. */
  private escapeAt = -1;

  constructor(private readonly text: string) {}

  run(): void {
    for (let at = 0; at < this.text.length; at += 1) at = this.step(at);
  }

  private step(at: number): number {
    switch (this.text.charAt(at)) {
      case '{':
        this.enter(new Set());
        break;
      case '[':
        this.enter(null);
        break;
      case '}':
      case ']':
        this.around.pop();
        this.nameNext = false;
        break;
      case ',':
        this.nameNext = this.around.at(-1) instanceof Set;
        break;
      case '"':
        return this.string(at);
    }
    return at;
  }

  private enter(names: Set<string> | null): void {
    this.around.push(names);
    this.nameNext = names !== null;
    if (this.around.length > DEEPEST) throw new BadArtifact('TooDeep', `it is nested deeper than ${DEEPEST} levels`);
  }

  /** Returns where the string ends that begins at `from`. */
  private string(from: number): number {
    let end = this.text.indexOf('"', from + 1);
    while (this.isEscaped(end)) end = this.text.indexOf('"', end + 1);
    if (this.nameNext) this.name(this.read(from, end));
    else if (this.mayHide(from, end)) this.read(from, end);
    this.nameNext = false;
    return end;
  }

  private isEscaped(at: number): boolean {
    let slashes = 0;
    while (this.text[at - slashes - 1] === '\\') slashes += 1;
    return slashes % 2 === 1;
  }

  /** Whether a string has an escape: what cannot be stored is never written plainly in JSON that is UTF-8. */
  private mayHide(from: number, end: number): boolean {
    if (this.escapeAt < from) {
      const next = this.text.indexOf('\\u', from);
      this.escapeAt = next === -1 ? Infinity : next;
    }
    return this.escapeAt < end;
  }

  private read(from: number, end: number): string {
    const value = JSON.parse(this.text.slice(from, end + 1)) as string;
    if (!unstorable.test(value)) return value;
    throw new BadArtifact('UnstorableText', 'it holds a NUL character or half a surrogate pair');
  }

  private name(name: string): void {
    const names = this.around.at(-1)!;
    if (names.has(name)) throw new BadArtifact('DuplicateKey', `it says ${JSON.stringify(name.slice(0, 100))} twice`);
    names.add(name);
  }
}

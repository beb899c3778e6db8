import { ConnectorFault } from '../connector/fault';
import { respelt } from '../connector/json-numbers';

/** JSON as JSON.parse makes it, but integers that it would round are texts that begin with NUL: JsonReader reads them. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [name: string]: Json | undefined;
}

const mark = '\0';
const exactDigits = 15;

/**
 * Parses JSON without rounding integers. Throws ConnectorFault `corrupt`. Libraries that keep them took 7 to 21 s of CPU for metadata of
 * 100 MB, during which a process renews no lease; this takes about 1 s.
 */
export function parseJson(text: string, subject: string): Json {
  try {
    return JSON.parse(withMarkedIntegers(text)) as Json;
  } catch (error) {
    throw new ConnectorFault('corrupt', `${subject}: not JSON, or cut short`, { cause: error });
  }
}

/** The same JSON with every integer of more than 15 digits as a marked string. */
function withMarkedIntegers(text: string): string {
  return respelt(text, (start, end) => {
    const token = end - start > exactDigits ? text.slice(start, end) : '';
    return /^-?\d+$/.test(token) ? `"\\u0000${token}"` : null;
  });
}

/** Reads typed members of one JSON object; each throws ConnectorFault `corrupt` that names the member. */
export class JsonReader {
  constructor(
    private readonly value: JsonObject,
    private readonly subject: string,
  ) {}

  /** Reads `value` as an object. */
  static of(value: Json | undefined, subject: string): JsonReader {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) throw wrong(subject, 'an object', value);
    return new JsonReader(value as JsonObject, subject);
  }

  has(name: string): boolean {
    return this.value[name] !== undefined && this.value[name] !== null;
  }

  raw(name: string): Json | undefined {
    return this.value[name];
  }

  text(name: string): string {
    const value = this.value[name];
    if (typeof value !== 'string' || value.startsWith(mark)) throw wrong(`${this.subject}.${name}`, 'a string', value);
    return value;
  }

  int(name: string): number {
    const value = this.value[name];
    if (!Number.isSafeInteger(value)) throw wrong(`${this.subject}.${name}`, 'an integer', value);
    return value as number;
  }

  long(name: string): bigint {
    const value = this.value[name];
    const isMarked = typeof value === 'string' && /^\0-?\d+$/.test(value);
    const long = BigInt(isMarked ? value.slice(1) : this.int(name));
    if (BigInt.asIntN(64, long) === long) return long;
    throw new ConnectorFault('corrupt', `${this.subject}.${name}: an integer of more than 64 bits`);
  }

  object(name: string): JsonReader {
    return JsonReader.of(this.value[name], `${this.subject}.${name}`);
  }

  /** The objects of an array; none where the member is absent. */
  objects(name: string): JsonReader[] {
    return this.array(name).map((item, at) => JsonReader.of(item, `${this.subject}.${name}[${at}]`));
  }

  ints(name: string): number[] {
    return this.array(name).map((item) => {
      if (!Number.isSafeInteger(item)) throw wrong(`${this.subject}.${name}`, 'integers', item);
      return item as number;
    });
  }

  texts(name: string): string[] {
    return this.array(name).map((item) => {
      if (typeof item !== 'string') throw wrong(`${this.subject}.${name}`, 'strings', item);
      return item;
    });
  }

  /** A map of texts; empty where the member is absent. */
  textMap(name: string): Record<string, string> {
    if (!this.has(name)) return {};
    const members = Object.entries(this.object(name).value);
    return Object.fromEntries(members.map(([key, value]) => [key, String(value).replace(mark, '')]));
  }

  /** The members of an object as readers, by name; none where the member is absent. */
  members(name: string): [string, JsonReader][] {
    if (!this.has(name)) return [];
    const inner = this.object(name);
    return Object.keys(inner.value).map((key) => [key, inner.object(key)]);
  }

  private array(name: string): readonly Json[] {
    const value = this.value[name] ?? [];
    if (!Array.isArray(value)) throw wrong(`${this.subject}.${name}`, 'a list', value);
    return value as readonly Json[];
  }
}

function wrong(subject: string, wanted: string, value: Json | undefined): ConnectorFault {
  const found =
    value === undefined ? 'nothing' : value === null ? 'null' : Array.isArray(value) ? 'a list' : typeof value;
  return new ConnectorFault('corrupt', `${subject}: ${wanted} was expected, ${found} is there`);
}

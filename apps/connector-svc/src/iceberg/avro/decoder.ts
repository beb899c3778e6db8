import type { Cursor } from './cursor';
import { Pairs } from './pairs';

/** Reads, or steps over, one value. */
interface Codec {
  read(cursor: Cursor): unknown;
  skip(cursor: Cursor): void;
}

/** A schema as the JSON of Avro 1.11 has it; Iceberg adds `field-id` to fields. */
export type AvroSchema = string | readonly AvroSchema[] | AvroComplex;

export interface AvroComplex {
  readonly type: AvroSchema;
  readonly name?: string;
  readonly namespace?: string;
  readonly fields?: readonly AvroField[];
  readonly items?: AvroSchema;
  readonly values?: AvroSchema;
  readonly size?: number;
  readonly symbols?: readonly string[];
  readonly logicalType?: string;
}

export interface AvroField {
  readonly name: string;
  readonly type: AvroSchema;
  readonly 'field-id'?: number;
}

const deepest = 40;

/**
 * Compiles a schema into a reader of its values: longs are bigint, arrays of key and value records (Iceberg's maps with ids as keys) are Pairs,
 * bytes in those Slice.
 * Fields that `wanted` refuses by name are stepped over. Throws RangeError for a schema that is not Avro's.
 */
export function compileAvro(schema: AvroSchema, wanted: (field: string) => boolean): (cursor: Cursor) => unknown {
  const codec = new Compiler(wanted).codec(schema, 0);
  return (cursor) => codec.read(cursor);
}

class Compiler {
  private readonly named = new Map<string, Codec>();

  constructor(private readonly wanted: (field: string) => boolean) {}

  codec(schema: AvroSchema, depth: number): Codec {
    if (depth > deepest) throw new RangeError('its schema is nested too deeply');
    if (typeof schema === 'string') return primitives[schema] ?? this.known(schema);
    if (Array.isArray(schema)) return unionCodec(schema.map((branch: AvroSchema) => this.codec(branch, depth + 1)));
    return this.complex(schema as AvroComplex, depth + 1);
  }

  private complex(schema: AvroComplex, depth: number): Codec {
    switch (schema.type) {
      case 'record':
        return this.record(schema, depth);
      case 'array':
        return this.array(schema.items ?? '', depth);
      case 'map':
        return mapCodec(primitives['string']!, this.codec(schema.values ?? '', depth));
      case 'fixed':
        return this.name(schema, fixedCodec(schema.size ?? -1));
      case 'enum':
        return this.name(schema, enumCodec(schema.symbols ?? []));
      default:
        return this.codec(schema.type, depth);
    }
  }

  private record(schema: AvroComplex, depth: number): Codec {
    const fields = (schema.fields ?? []).map(({ name, type }) => ({
      // Objects would bring names like "7" before all others, and partition values go by their place.
      name: /^\d/.test(name) ? `_${name}` : name,
      codec: this.codec(type, depth),
    }));
    return this.name(schema, recordCodec(fields, this.wanted));
  }

  private array(items: AvroSchema, depth: number): Codec {
    const fields = typeof items === 'object' && 'fields' in items ? (items.fields ?? []) : [];
    const isMap = fields.length === 2 && fields[0]!.name === 'key' && fields[1]!.name === 'value';
    if (!isMap) return listCodec(this.codec(items, depth));
    const [key, value] = fields.map(({ type }) => (type === 'bytes' ? slices : this.codec(type, depth)));
    return pairsCodec(key!, value!);
  }

  private name(schema: AvroComplex, codec: Codec): Codec {
    if (schema.name) this.named.set(schema.name, codec);
    return codec;
  }

  private known(name: string): Codec {
    const codec = this.named.get(name);
    if (!codec) throw new RangeError(`its schema has the unknown type ${name.slice(0, 60)}`);
    return codec;
  }
}

const slices: Codec = { read: (cursor) => cursor.slice(), skip: (cursor) => void cursor.slice() };

const primitives: Readonly<Record<string, Codec>> = {
  null: { read: () => null, skip: () => {} },
  boolean: { read: (cursor) => cursor.take(1)[0] !== 0, skip: (cursor) => void cursor.take(1) },
  int: { read: (cursor) => cursor.int(), skip: (cursor) => cursor.skipLong() },
  long: { read: (cursor) => cursor.long(), skip: (cursor) => cursor.skipLong() },
  float: { read: (cursor) => cursor.take(4).readFloatLE(), skip: (cursor) => void cursor.take(4) },
  double: { read: (cursor) => cursor.take(8).readDoubleLE(), skip: (cursor) => void cursor.take(8) },
  bytes: { read: (cursor) => cursor.sized(), skip: (cursor) => void cursor.sized() },
  string: { read: (cursor) => cursor.slice().toText(), skip: (cursor) => void cursor.slice() },
};

function fixedCodec(size: number): Codec {
  return { read: (cursor) => cursor.take(size), skip: (cursor) => void cursor.take(size) };
}

function enumCodec(symbols: readonly string[]): Codec {
  return { read: (cursor) => symbols[cursor.int()], skip: (cursor) => cursor.skipLong() };
}

function unionCodec(branches: readonly Codec[]): Codec {
  const branch = (cursor: Cursor) => {
    const codec = branches[cursor.int()];
    if (!codec) throw new RangeError('a union has no such branch');
    return codec;
  };
  return { read: (cursor) => branch(cursor).read(cursor), skip: (cursor) => branch(cursor).skip(cursor) };
}

function recordCodec(
  fields: readonly { readonly name: string; readonly codec: Codec }[],
  wanted: (field: string) => boolean,
): Codec {
  const steps = fields.map((field) => ({ ...field, wanted: wanted(field.name) }));
  return {
    read: (cursor) => {
      const record: Record<string, unknown> = {};
      for (const { name, codec, wanted } of steps) {
        if (wanted) record[name] = codec.read(cursor);
        else codec.skip(cursor);
      }
      return record;
    },
    skip: (cursor) => {
      for (const { codec } of steps) codec.skip(cursor);
    },
  };
}

/** Arrays: runs of items; a negative count is followed by the run's length in bytes. */
function listCodec(item: Codec): Codec {
  const read = (cursor: Cursor): unknown[] => {
    const items: unknown[] = [];
    for (let count = runOf(cursor); count > 0; count = runOf(cursor)) {
      for (let n = 0; n < count; n++) items.push(item.read(cursor));
    }
    return items;
  };
  return { read, skip: (cursor) => skipRuns(cursor, [item]) };
}

/** Arrays of keys and values. */
function pairsCodec(key: Codec, value: Codec): Codec {
  const read = (cursor: Cursor): Pairs<unknown> => {
    const pairs = new Pairs<unknown>();
    for (let count = runOf(cursor); count > 0; count = runOf(cursor)) {
      for (let n = 0; n < count; n++) pairs.add(key.read(cursor), value.read(cursor));
    }
    return pairs;
  };
  return { read, skip: (cursor) => skipRuns(cursor, [key, value]) };
}

/** Maps: runs as of arrays. */
function mapCodec(key: Codec, value: Codec): Codec {
  const read = (cursor: Cursor): Map<unknown, unknown> => {
    const map = new Map<unknown, unknown>();
    for (let count = runOf(cursor); count > 0; count = runOf(cursor)) {
      for (let n = 0; n < count; n++) map.set(key.read(cursor), value.read(cursor));
    }
    return map;
  };
  return { read, skip: (cursor) => skipRuns(cursor, [key, value]) };
}

function skipRuns(cursor: Cursor, item: readonly Codec[]): void {
  const step = (codec: Codec): void => codec.skip(cursor);
  for (let count = cursor.int(); count !== 0; count = cursor.int()) {
    if (count < 0) cursor.take(cursor.int());
    else for (let n = guarded(cursor, count); n > 0; n--) item.forEach(step);
  }
}

function runOf(cursor: Cursor): number {
  const count = cursor.int();
  if (count < 0) cursor.skipLong();
  return guarded(cursor, Math.abs(count));
}

/** No item of our schemas is empty, so a run has no more items than there are bytes left. */
function guarded(cursor: Cursor, count: number): number {
  if (count > cursor.bytes.length - cursor.at) throw new RangeError('an array is longer than its block');
  return count;
}

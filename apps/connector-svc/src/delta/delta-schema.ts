import { createHash } from 'node:crypto';
import { type Field, type PartitionSpec, type Schema } from '../connector/connector.port';
import { type DataType, type Leaf, type PlainKind } from '../connector/data-type';
import { ConnectorFault } from '../connector/fault';
import { type Metadata } from './actions';
import { type ExactJson, exactJson, member, objectOf } from './exact-json';

/** A column of which statistics are kept, and under which names the log keeps them. */
export interface DeltaLeaf {
  readonly leaf: Leaf;
  readonly physicalPath: readonly string[];
}

/** A table's schema with what the log's own names say of it. */
export interface DeltaSchema {
  readonly schema: Schema;
  readonly spec: PartitionSpec;
  /** Leaves outside partition columns; arrays and maps are leaves here, since Delta counts their nulls only. */
  readonly leaves: readonly DeltaLeaf[];
  /** By physical name, as partition values are kept. */
  readonly partitionNames: ReadonlyMap<string, string>;
}

const deepest = 100;

/** Reads a schema (protocol, "Schema Serialization Format", "Column Mapping"). Throws ConnectorFault `corrupt`. */
export function deltaSchema({ schemaString, configuration, partitionColumns }: Metadata): DeltaSchema {
  const mapped = (configuration['delta.columnMapping.mode'] ?? 'none') !== 'none';
  const columns = columnsOf(parsedSchema(schemaString), mapped, 0);
  const fields = columns.map(({ field }) => field);
  const partition = partitionColumns.map((name) => columns.find(({ field }) => field.name === name) ?? missing(name));
  return {
    schema: { id: schemaId(fields), fields, identifierFieldIds: [] },
    spec: {
      id: 0,
      fields: partition.map(({ field }) => ({
        ...{ name: field.name, fieldId: null, transform: 'identity' },
        sourceIds: field.id === null ? [] : [field.id],
      })),
    },
    leaves: columns.filter((column) => !partition.includes(column)).flatMap((column) => leavesIn(column, [], [])),
    partitionNames: new Map(partition.map(({ field, physicalName }) => [physicalName, field.name])),
  };
}

/**
 * Delta numbers no schemas, and the version that brought one is forgotten by log cleanup: so 31 bits of a digest of the fields, the same
 * wherever the schema is read.
 */
function schemaId(fields: readonly Field[]): number {
  return createHash('sha256').update(JSON.stringify(fields)).digest().readUInt32BE(0) >>> 1;
}

interface Column {
  readonly field: Field;
  readonly physicalName: string;
  readonly inner: readonly Column[];
}

function parsedSchema(schemaString: string): ExactJson {
  try {
    return exactJson(schemaString);
  } catch (cause) {
    throw new ConnectorFault('corrupt', 'the schema is not JSON', { cause });
  }
}

function columnsOf(struct: ExactJson, mapped: boolean, depth: number): Column[] {
  const fields = member(struct, 'fields');
  if (!Array.isArray(fields) || depth > deepest)
    throw new ConnectorFault('corrupt', 'the schema is no struct, or too deep');
  return fields.map((raw: ExactJson) => {
    const name = member(raw, 'name');
    if (typeof name !== 'string') throw new ConnectorFault('corrupt', 'a column of the schema has no name');
    const type = member(raw, 'type');
    const inner = member(type, 'type') === 'struct' ? columnsOf(type, mapped, depth + 1) : [];
    const physical = mapped ? member(member(raw, 'metadata'), 'delta.columnMapping.physicalName') : null;
    return {
      field: fieldOf(name, raw, typeOf(type, inner, mapped, depth)),
      physicalName: String(physical ?? name),
      inner,
    };
  });
}

function fieldOf(name: string, raw: ExactJson, type: DataType): Field {
  const [id, doc] = ['delta.columnMapping.id', 'comment'].map((key) => member(member(raw, 'metadata'), key));
  return {
    ...{ name, type, required: member(raw, 'nullable') === false },
    id: typeof id === 'string' && /^\d{1,9}$/.test(id) ? Number(id) : null,
    doc: typeof doc === 'string' ? doc : null,
  };
}

function typeOf(type: ExactJson, inner: readonly Column[], mapped: boolean, depth: number): DataType {
  if (typeof type === 'string') return plainType(type);
  if (!objectOf(type)) throw new ConnectorFault('corrupt', 'a column of the schema has no type');
  const part = (name: string, optional: ExactJson): Field => {
    const body = member(type, `${name}Type`);
    const nested = member(body, 'type') === 'struct' ? columnsOf(body, mapped, depth + 1) : [];
    if (depth > deepest) throw new ConnectorFault('corrupt', 'the schema is too deep');
    return { id: null, name, type: typeOf(body, nested, mapped, depth + 1), required: optional === false, doc: null };
  };
  switch (member(type, 'type')) {
    case 'struct':
      return { kind: 'struct', fields: inner.map(({ field }) => field) };
    case 'array':
      return { kind: 'list', element: part('element', member(type, 'containsNull')) };
    case 'map':
      return { kind: 'map', key: part('key', false), value: part('value', member(type, 'valueContainsNull')) };
    default:
      return { kind: 'other', source: JSON.stringify(type) };
  }
}

const plainKinds: Readonly<Record<string, PlainKind>> = {
  ...{
    boolean: 'boolean',
    byte: 'byte',
    short: 'short',
    integer: 'int',
    long: 'long',
    float: 'float',
    double: 'double',
  },
  ...{ date: 'date', timestamp: 'timestamptz', timestamp_ntz: 'timestamp', string: 'string', binary: 'binary' },
};

function plainType(source: string): DataType {
  const decimal = /^decimal\((\d{1,2}),\s*(-?\d{1,2})\)$/.exec(source);
  if (decimal) return { kind: 'decimal', source, precision: Number(decimal[1]), scale: Number(decimal[2]) };
  return { kind: (Object.hasOwn(plainKinds, source) && plainKinds[source]) || 'other', source };
}

function leavesIn(
  { field, physicalName, inner }: Column,
  above: readonly string[],
  aboveInLog: readonly string[],
): DeltaLeaf[] {
  const [path, physicalPath] = [
    [...above, field.name],
    [...aboveInLog, physicalName],
  ];
  const { type, id: fieldId, required } = field;
  if (type.kind === 'struct') return inner.flatMap((column) => leavesIn(column, path, physicalPath));
  const leafType =
    type.kind === 'list' || type.kind === 'map' ? ({ kind: 'other', source: collection[type.kind] } as const) : type;
  return [{ leaf: { fieldId, path, type: leafType, required }, physicalPath }];
}

const collection = { list: 'array', map: 'map' } as const;

function missing(name: string): never {
  throw new ConnectorFault('corrupt', `the partition column ${name} is not in the schema`);
}

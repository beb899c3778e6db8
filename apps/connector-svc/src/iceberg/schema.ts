import { type Field, type Schema } from '../connector/connector.port';
import { type DataType, type PlainKind } from '../connector/data-type';
import { ConnectorFault } from '../connector/fault';
import { JsonReader, type Json } from './json';

const plain = new Set<string>([
  ...['boolean', 'int', 'long', 'float', 'double', 'date', 'time', 'timestamp', 'timestamptz', 'timestamp_ns'],
  ...['timestamptz_ns', 'string', 'uuid', 'binary'],
]);
/** Types of format 3 that hold values without bounds that we could write as text. */
const opaque = /^(unknown|variant|geometry(\(.*\))?|geography(\(.*\))?)$/;
const deepest = 60;

/** A schema from its JSON (Iceberg spec, "Appendix C: JSON serialization"). An unknown type is ConnectorFault `unsupported`, by name. */
export function icebergSchema(json: JsonReader): Schema {
  return {
    id: json.has('schema-id') ? json.int('schema-id') : 0,
    fields: json.objects('fields').map((field) => fieldOf(field, 0)),
    identifierFieldIds: json.ints('identifier-field-ids'),
  };
}

function fieldOf(json: JsonReader, depth: number): Field {
  return {
    id: json.int('id'),
    name: json.text('name'),
    type: typeOf(json.raw('type'), depth),
    required: json.raw('required') === true,
    doc: json.has('doc') ? json.text('doc') : null,
  };
}

function typeOf(json: Json | undefined, depth: number): DataType {
  if (depth > deepest)
    throw new ConnectorFault('unsupported', `a type that is nested more than ${deepest} levels deep`);
  if (typeof json === 'string') return leafTypeOf(json);
  const type = JsonReader.of(json, 'type');
  switch (type.text('type')) {
    case 'struct':
      return { kind: 'struct', fields: type.objects('fields').map((field) => fieldOf(field, depth + 1)) };
    case 'list':
      return { kind: 'list', element: insideOf(type, 'element', depth) };
    case 'map':
      return { kind: 'map', key: insideOf(type, 'key', depth), value: insideOf(type, 'value', depth) };
    default:
      throw new ConnectorFault('unsupported', `the type ${type.text('type').slice(0, 60)} is not known`);
  }
}

function insideOf(type: JsonReader, name: 'element' | 'key' | 'value', depth: number): Field {
  return {
    id: type.int(`${name}-id`),
    name,
    type: typeOf(type.raw(name), depth + 1),
    required: name === 'key' || type.raw(`${name}-required`) === true,
    doc: null,
  };
}

function leafTypeOf(source: string): DataType {
  if (plain.has(source)) return { kind: source as PlainKind, source };
  const decimal = /^decimal\(\s*(\d{1,2})\s*,\s*(\d{1,2})\s*\)$/.exec(source);
  if (decimal) return { kind: 'decimal', source, precision: Number(decimal[1]), scale: Number(decimal[2]) };
  const fixed = /^fixed\[\s*(\d{1,9})\s*\]$/.exec(source);
  if (fixed) return { kind: 'fixed', source, length: Number(fixed[1]) };
  if (opaque.test(source)) return { kind: 'other', source };
  throw new ConnectorFault('unsupported', `the type ${source.slice(0, 60)} is not known`);
}

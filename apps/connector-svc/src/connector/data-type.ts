import { type Field, type Schema } from './connector.port';

/** Types that are kept as they are (spec 3, part 6). `timestamp` has no zone, `timestamptz` is in UTC; `_ns` counts nanoseconds. */
export type DataType =
  | { readonly kind: PlainKind; readonly source: string }
  | { readonly kind: 'decimal'; readonly source: string; readonly precision: number; readonly scale: number }
  | { readonly kind: 'fixed'; readonly source: string; readonly length: number }
  | { readonly kind: 'struct'; readonly fields: readonly Field[] }
  | { readonly kind: 'list'; readonly element: Field }
  | { readonly kind: 'map'; readonly key: Field; readonly value: Field };

/** `source` of a type is the name its format gives it. `other`: stored and shown, but without bounds (variant, geometry, …). */
export type PlainKind =
  | 'boolean'
  | 'byte'
  | 'short'
  | 'int'
  | 'long'
  | 'float'
  | 'double'
  | 'date'
  | 'time'
  | 'timestamp'
  | 'timestamptz'
  | 'timestamp_ns'
  | 'timestamptz_ns'
  | 'string'
  | 'uuid'
  | 'binary'
  | 'other';

/** A type that holds values itself. */
export type LeafType = Extract<DataType, { source: string }>;

/** A column that holds values; `path` has `element`, `key` and `value` for the insides of lists and maps. */
export interface Leaf {
  readonly fieldId: number | null;
  readonly path: readonly string[];
  readonly type: LeafType;
  readonly required: boolean;
}

/** The leaves of a schema, in its order. */
export function leavesOf(schema: Schema): Leaf[] {
  return schema.fields.flatMap((field) => leavesOfField(field, []));
}

function leavesOfField(field: Field, above: readonly string[]): Leaf[] {
  const path = [...above, field.name];
  const { type } = field;
  switch (type.kind) {
    case 'struct':
      return type.fields.flatMap((inner) => leavesOfField(inner, path));
    case 'list':
      return leavesOfField({ ...type.element, name: 'element' }, path);
    case 'map':
      return [
        ...leavesOfField({ ...type.key, name: 'key' }, path),
        ...leavesOfField({ ...type.value, name: 'value' }, path),
      ];
    default:
      return [{ fieldId: field.id, path, type, required: field.required }];
  }
}

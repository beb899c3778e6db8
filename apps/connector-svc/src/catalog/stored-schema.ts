import type { Field } from '../connector/connector.port';
import { leavesOf } from '../connector/data-type';

/** A schema as it is stored. */
export interface StoredSchema {
  readonly schema_id: number;
  readonly identifier_field_ids: readonly number[];
  readonly fields: readonly Field[];
}

/** Shows a schema with its columns as a list of those that hold values. */
export function columnsOfFields(schema: StoredSchema) {
  const { schema_id: id, identifier_field_ids: identifierFieldIds, fields } = schema;
  const columns = leavesOf({ id, identifierFieldIds, fields }).map(({ fieldId, path, type, required }) => ({
    ...{ field_id: fieldId, path, type: type.source, required },
  }));
  return { ...schema, columns };
}

/** JSON Schemas (draft 7) of what a record must have, by the line of its schema version (spec 2, "Indexer"). Our own. */

const text = { type: 'string' };
const filled = { type: 'string', minLength: 1 };
const named = {
  type: 'object',
  properties: { id: { type: 'integer' }, name: text, annotations: { type: 'object' } },
};
const locator = {
  type: 'object',
  properties: { type: text, url: text, urls: { type: 'array', items: text } },
};

const required = ['name', 'version', 'schema_version', 'description', 'authors', 'created_at', 'skills'];
const properties = {
  name: filled,
  version: filled,
  schema_version: filled,
  description: text,
  authors: { type: 'array', items: text },
  created_at: { type: 'string', format: 'date-time' },
  skills: { type: 'array', items: named },
  locators: { type: 'array', items: locator },
  domains: { type: 'array', items: named },
  modules: { type: 'array', items: named },
  annotations: { type: 'object', additionalProperties: text },
  previous_record_cid: text,
};

export const recordSchemas = {
  '0.7': { type: 'object', required: [...required, 'locators'], properties },
  '0.8': { type: 'object', required, properties },
  '1': { type: 'object', required, properties },
} as const;

export type SchemaLine = keyof typeof recordSchemas;

/** The line that a schema version belongs to; null for one that is not supported. */
export function schemaLine(version: string): SchemaLine | null {
  const [, line] = /^(0\.7|0\.8|1(?=\.\d+\.))\.\d+(?:\.\d+)?(?:-[\da-zA-Z.-]+)?$/.exec(version) ?? [];
  return (line as SchemaLine | undefined) ?? null;
}

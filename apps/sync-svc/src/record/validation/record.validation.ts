import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv';
import addFormats from 'ajv-formats';
import { instantOf } from '../../search/instant';
import { type ArtifactFault, BadArtifact } from '../../registry/registry.errors';
import { parseStrictly } from './json-text';
import { type SchemaLine, recordSchemas, schemaLine } from './record.schemas';

/** The largest record, in bytes. */
export const RECORD_LIMIT = 4 * 1024 * 1024;

interface Named {
  readonly id?: number;
  readonly name?: string;
}

/** What every valid record has, whatever its schema version. */
export interface RecordBody {
  readonly name: string;
  readonly version: string;
  readonly schema_version: string;
  readonly description: string;
  readonly authors: readonly string[];
  readonly created_at: string;
  readonly skills: readonly Named[];
  readonly domains?: readonly Named[];
  readonly modules?: readonly Named[];
  readonly locators?: readonly { readonly type?: string; readonly url?: string; readonly urls?: readonly string[] }[];
  readonly annotations?: Readonly<Record<string, string>>;
}

const ajv = new Ajv({ strict: true, allErrors: false });
addFormats.default(ajv, ['date-time']);
const validators = Object.fromEntries(
  Object.entries(recordSchemas).map(([line, schema]) => [line, ajv.compile<RecordBody>(schema)]),
) as Record<SchemaLine, ValidateFunction<RecordBody>>;

/** Reads a record, and checks its structure. Throws BadArtifact with what is wrong. */
export function parseRecord(bytes: Buffer): { readonly text: string; readonly body: RecordBody } {
  if (bytes.length > RECORD_LIMIT) throw new BadArtifact('TooLarge', `more than ${RECORD_LIMIT} bytes`);
  const { text, value } = parseStrictly(bytes);
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw new BadArtifact('NotAnObject', 'it is no JSON object');
  }
  const validate = validators[lineOf(value)];
  if (!validate(value)) throw faultOf(validate.errors![0]!);
  if (instantOf(value.created_at) !== null) return { text, body: value };
  const shown = JSON.stringify(value.created_at.slice(0, 50));
  throw new BadArtifact('BadFormat', `created_at is ${shown}, which is no time that can be kept`);
}

function lineOf({ schema_version: version }: { schema_version?: unknown }): SchemaLine {
  if (version === undefined) throw new BadArtifact('MissingAttribute', 'schema_version is missing');
  if (typeof version !== 'string') throw new BadArtifact('WrongType', 'schema_version must be a string');
  const line = schemaLine(version);
  if (line !== null) return line;
  const shown = JSON.stringify(version.slice(0, 50));
  throw new BadArtifact('UnsupportedSchemaVersion', `schema_version is ${shown}: supported are 0.7, 0.8 and 1`);
}

const faults: Readonly<Record<string, ArtifactFault>> = { required: 'MissingAttribute', type: 'WrongType' };

function faultOf({ keyword, instancePath, message, params }: ErrorObject): BadArtifact {
  const missing = keyword === 'required' ? `/${String((params as { missingProperty: string }).missingProperty)}` : '';
  const where = `${instancePath}${missing}`.slice(1, 200).replaceAll('/', '.');
  const what = keyword === 'required' ? 'is missing' : (message ?? keyword);
  return new BadArtifact(faults[keyword] ?? 'BadFormat', `${where} ${what}`);
}

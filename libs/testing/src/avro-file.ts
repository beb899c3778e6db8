import { deflateRawSync } from 'node:zlib';
import { type Schema, Type } from 'avsc';

const recordsPerBlock = 50;
const sync = Buffer.alloc(16, 0x5a);
const factsType = Type.forSchema({ type: 'map', values: 'bytes' });
const longType = Type.forSchema('long');

/** The bytes of an Avro container file with these records, as another writer than ours would write it. */
export function avroFile(schema: object, records: readonly object[], codec: 'null' | 'deflate' = 'null'): Buffer {
  const type = Type.forSchema(schema as Schema);
  const facts = { 'avro.schema': Buffer.from(JSON.stringify(schema)), 'avro.codec': Buffer.from(codec) };
  const blocks = [Buffer.from('Obj\x01', 'latin1'), factsType.toBuffer(facts), sync];
  for (let from = 0; from < records.length; from += recordsPerBlock) {
    const some = records.slice(from, from + recordsPerBlock);
    const plain = Buffer.concat(some.map((record) => type.toBuffer(record)));
    const packed = codec === 'deflate' ? deflateRawSync(plain) : plain;
    blocks.push(longType.toBuffer(some.length), longType.toBuffer(packed.length), packed, sync);
  }
  return Buffer.concat(blocks);
}

/** A field of an Iceberg record: its name, its id, its Avro type. */
function field(name: string, id: number, type: unknown): object {
  return { name, type, 'field-id': id };
}

function optional(name: string, id: number, type: unknown): object {
  return { ...field(name, id, ['null', type]), default: null };
}

function idMap(name: string, id: number, keyId: number, value: string): object {
  const fields = [field('key', keyId, 'int'), field('value', keyId + 1, value)];
  const items = { type: 'record', name: `k${keyId}_v${keyId + 1}`, fields };
  return optional(name, id, { type: 'array', logicalType: 'map', items });
}

/** The Avro schema of manifests (Iceberg spec, "Manifests", format 3) for tables without partitions. */
export const manifestSchema = {
  type: 'record',
  name: 'manifest_entry',
  fields: [
    field('status', 0, 'int'),
    optional('snapshot_id', 1, 'long'),
    optional('sequence_number', 3, 'long'),
    optional('file_sequence_number', 4, 'long'),
    field('data_file', 2, {
      type: 'record',
      name: 'r2',
      fields: [
        field('content', 134, 'int'),
        field('file_path', 100, 'string'),
        field('file_format', 101, 'string'),
        field('partition', 102, { type: 'record', name: 'r102', fields: [] }),
        field('record_count', 103, 'long'),
        field('file_size_in_bytes', 104, 'long'),
        idMap('column_sizes', 108, 117, 'long'),
        idMap('value_counts', 109, 119, 'long'),
        idMap('null_value_counts', 110, 121, 'long'),
        idMap('nan_value_counts', 137, 138, 'long'),
        idMap('lower_bounds', 125, 126, 'bytes'),
        idMap('upper_bounds', 128, 129, 'bytes'),
        optional('key_metadata', 131, 'bytes'),
        optional('first_row_id', 142, 'long'),
        optional('referenced_data_file', 143, 'string'),
        optional('content_offset', 144, 'long'),
        optional('content_size_in_bytes', 145, 'long'),
      ],
    }),
  ],
};

/** The Avro schema of manifest lists (Iceberg spec, "Manifest Lists"), without what readers may do without. */
export const manifestListSchema = {
  type: 'record',
  name: 'manifest_file',
  fields: [
    field('manifest_path', 500, 'string'),
    field('manifest_length', 501, 'long'),
    field('partition_spec_id', 502, 'int'),
    field('content', 517, 'int'),
    field('sequence_number', 515, 'long'),
    field('min_sequence_number', 516, 'long'),
    field('added_snapshot_id', 503, 'long'),
    field('added_files_count', 504, 'int'),
    field('existing_files_count', 505, 'int'),
    field('deleted_files_count', 506, 'int'),
    field('added_rows_count', 512, 'long'),
    field('existing_rows_count', 513, 'long'),
    field('deleted_rows_count', 514, 'long'),
  ],
};

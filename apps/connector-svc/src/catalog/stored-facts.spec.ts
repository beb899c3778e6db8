import type { FileColumn, PlanFile } from '../connector/connector.port';
import { storedFile } from './plan.writes';
import { fileReader } from './snapshot.answer';

const schema = {
  schema_id: 0,
  identifier_field_ids: [],
  fields: [
    { id: 1, name: 'id', type: { kind: 'long', source: 'long' }, required: true, doc: null },
    { id: 2, name: 'odd.name', type: { kind: 'string', source: 'string' }, required: false, doc: null },
  ],
} as Parameters<typeof fileReader>[0];
const unknown = { path: null, valueCount: null, nullCount: null, nanCount: null, min: null, max: null };

function shown(...columns: Partial<FileColumn>[]) {
  const file = {
    ...{ path: 'a', content: 'data', format: 'PARQUET', recordCount: 1n, bytes: 1n, specId: 0, partition: {} },
    ...{ sequenceNumber: null, addedSnapshotId: null, equalityIds: null, appliesTo: null, contentOffset: null },
    ...{ contentBytes: null, deletionVector: null, modifiedAtMs: null },
    columns: columns.map((one) => ({ fieldId: null, ...unknown, boundsTruncated: null, ...one })),
  } as PlanFile;
  return fileReader(schema)(storedFile(file).body).columns;
}

describe('the columns of a stored file', () => {
  test('come back as they were, counts beyond 2^53 too', () => {
    const counts = { valueCount: 2n ** 63n - 1n, nullCount: 2n ** 53n - 1n, nanCount: 0n };
    expect(shown({ fieldId: 1, ...counts, min: '', max: 'a\0b', boundsTruncated: true })).toEqual([
      {
        ...{ field_id: 1, path: ['id'], value_count: '9223372036854775807', null_count: '9007199254740991' },
        ...{ nan_count: '0', min: '', max: 'a\0b', bounds_truncated: true },
      },
    ]);
  });

  test('may differ in what they know, and have an id, a path, or neither', () => {
    const columns = shown({ fieldId: 2, nullCount: 1n, min: 'a' }, { path: ['x', 'y'], nullCount: 1n }, { fieldId: 9 });
    expect(columns).toMatchObject([
      { field_id: 2, path: ['odd.name'], value_count: null, null_count: '1', min: 'a', max: null },
      { field_id: null, path: ['x', 'y'], null_count: '1', min: null },
      { field_id: 9, path: null, null_count: null, min: null },
    ]);
  });

  test('are none where there are none', () => expect(shown()).toEqual([]));

  test('are read in the form before, too', () => {
    const body = JSON.stringify({ path: 'a', columns: [[1, null, '10', '0', null, '0', '9', false]] });
    expect(fileReader(schema)(body)).toEqual({
      path: 'a',
      columns: [
        {
          ...{ field_id: 1, path: ['id'], value_count: '10', null_count: '0', nan_count: null },
          ...{ min: '0', max: '9', bounds_truncated: false },
        },
      ],
    });
  });
});

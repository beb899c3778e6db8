import { type SchemaElement, type SchemaTree } from 'hyparquet';
import { type LeafType } from '../connector/data-type';
import { ColumnFold } from '../connector/folding';
import { type DeltaLeaf } from './delta-schema';
import { exactJson, integerJson } from './exact-json';
import { fileColumn, fileStatistics } from './file-statistics';
import { parsedStats } from './parsed-stats';

const leafOf = (type: LeafType, ...physicalPath: string[]): DeltaLeaf => ({
  leaf: { fieldId: null, path: physicalPath, type, required: false },
  physicalPath,
});
const timestamp = { kind: 'timestamptz', source: 'timestamp' } as const;
const string = { kind: 'string', source: 'string' } as const;
const double = { kind: 'double', source: 'double' } as const;

/** One column `c` in files with these statistics. */
function read(type: LeafType, ...stats: object[]) {
  const leaf = leafOf(type, 'c');
  const fold = new ColumnFold(leaf.leaf);
  const files = stats.map((one) => {
    const { columns } = fileStatistics(JSON.stringify(one), [leaf]);
    fold.add(columns[0]!);
    return fileColumn(leaf.leaf, columns[0]!);
  });
  return { files, whole: fold.result(null) };
}
const bounds = (min: unknown, max: unknown, more: object = {}) => ({
  numRecords: 2,
  minValues: { c: min },
  maxValues: { c: max },
  nullCount: { c: 0 },
  ...more,
});

describe('the statistics of a file', () => {
  it('keep their tokens, and compare by value', () => {
    const { files, whole } = read(
      { kind: 'decimal', source: 'decimal(5,2)', precision: 5, scale: 2 },
      bounds(9.5, 10.25),
      bounds(-1, 9),
    );
    expect(files[0]).toMatchObject({ min: '9.5', max: '10.25', boundsTruncated: false });
    expect(whole).toMatchObject({ min: '-1', max: '10.25', valueCount: 4n, nullCount: 0n, boundsComplete: true });
  });

  it('compare instants across zones and digits, and years beyond text order', () => {
    const texts = ['2024-01-01T01:00:00.123+02:00', '2024-01-01T00:00:00.123456Z', '2024-01-01T00:00:00Z'];
    const { whole } = read(timestamp, ...texts.map((text) => bounds(text, text)));
    expect([whole.min, whole.max]).toEqual([texts[0], texts[1]]);
  });

  it('have NaN above all numbers', () => {
    expect(read(double, bounds(1, 'NaN'), bounds(2, 1e300)).whole).toMatchObject({ min: '1', max: 'NaN' });
  });

  it.each<[string, LeafType, string, boolean]>([
    ['a short text', string, 'short', false],
    ['a text of 32 characters', string, 'x'.repeat(32), true],
    ['16 characters that take 32 units', string, '😀'.repeat(16), false],
    ['a timestamp in milliseconds', timestamp, '2024-01-01T00:00:00.123Z', true],
    ['a timestamp in microseconds', timestamp, '2024-01-01T00:00:00.123456Z', false],
  ])('say whether %s may be cut', (_name, type, text, cut) => {
    expect(read(type, bounds(text, text)).whole.boundsTruncated).toBe(cut);
  });

  it('are loose bounds when the writer says so', () => {
    expect(read(double, bounds(1, 2, { tightBounds: false })).whole.boundsTruncated).toBe(true);
    expect(read(double, bounds(1, 2, { tightBounds: true })).whole.boundsTruncated).toBe(false);
  });

  it('leave the bounds of the whole unknown where one file lacks them, unless it has nulls alone', () => {
    const nulls = { numRecords: 3, nullCount: { c: 3 } };
    expect(read(double, bounds(1, 2), nulls).whole).toMatchObject({
      min: '1',
      max: '2',
      boundsComplete: true,
      nullCount: 3n,
    });
    expect(read(double, bounds(1, 2), { numRecords: 3, nullCount: { c: 2 } }).whole).toMatchObject({
      min: null,
      max: null,
    });
    expect(read(double, bounds(1, 2), { numRecords: 3 }).whole).toMatchObject({
      min: null,
      nullCount: null,
      valueCount: 5n,
    });
    expect(read(double, bounds(1, 2), {}).whole.valueCount).toBeNull();
  });
});

describe('statistics in the columns of a checkpoint', () => {
  const leaf = (name: string, element: Partial<SchemaElement>): SchemaTree => ({
    children: [],
    count: 1,
    element: { name, ...element },
    path: [name],
  });
  const struct = (name: string, ...children: SchemaTree[]): SchemaTree => ({
    children,
    count: 1,
    element: { name },
    path: [name],
  });

  it.each<[string, Partial<SchemaElement>, unknown, unknown]>([
    ['a long', { type: 'INT64' }, -9223372036854775808n, '-9223372036854775808'],
    ['a decimal in 64 bits', { type: 'INT64', converted_type: 'DECIMAL', scale: 4 }, -1n, '-0.0001'],
    [
      'a decimal in bytes',
      { type: 'FIXED_LEN_BYTE_ARRAY', converted_type: 'DECIMAL', scale: 2 },
      new Uint8Array([255, 254]),
      '-0.02',
    ],
    ['a date', { type: 'INT32', converted_type: 'DATE' }, -1, '1969-12-31'],
    [
      'a timestamp',
      { type: 'INT64', converted_type: 'TIMESTAMP_MICROS' },
      1_704_067_200_123_000n,
      '2024-01-01T00:00:00.123Z',
    ],
    [
      'a timestamp without zone',
      { type: 'INT64', logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: false, unit: 'MICROS' } },
      1n,
      '1970-01-01T00:00:00.000001',
    ],
    [
      'a timestamp in milliseconds',
      { type: 'INT64', converted_type: 'TIMESTAMP_MILLIS' },
      -1n,
      '1969-12-31T23:59:59.999Z',
    ],
    ['a timestamp in 96 bits', { type: 'INT96' }, 1_000_000n, '1970-01-01T00:00:00.001Z'],
    ['a float', { type: 'FLOAT' }, Math.fround(0.1), '0.1'],
    ['a double', { type: 'DOUBLE' }, 0.1 + 0.2, '0.30000000000000004'],
    ['a text', { type: 'BYTE_ARRAY', converted_type: 'UTF8' }, 'a', 'a'],
    ['bytes', { type: 'BYTE_ARRAY' }, new Uint8Array([1]), null],
    ['nothing', { type: 'INT64' }, undefined, null],
  ])('have %s as JSON would', (_name, element, value, text) => {
    const tree = struct('stats', leaf('numRecords', { type: 'INT64' }), struct('minValues', leaf('c', element)));
    expect(parsedStats(tree, { numRecords: 5n, minValues: { c: value } })).toEqual({
      numRecords: '5',
      minValues: { c: text },
    });
  });
});

describe('exact JSON', () => {
  it.each<[string, unknown]>([
    [
      '{"a":9007199254740993,"b":-0.0,"c":[1e5,true,null],"d":"1 \\" 2"}',
      { a: '9007199254740993', b: '-0.0', c: ['1e5', true, null], d: '1 " 2' },
    ],
    ['{"\\\\":1,"x\\\\\\"y":2}', { '\\': '1', 'x\\"y': '2' }],
    ['7', '7'],
    ['"7"', '7'],
  ])('%s has its numbers as they stand', (text, value) => {
    expect(exactJson(text)).toEqual(value);
  });

  it.each(['{"a":1', '{"a":"b}', '{a:1}', '', '{"a":1}}', '"\\"'])('refuses %s', (text) => {
    expect(() => exactJson(text)).toThrow(/JSON/);
    expect(() => integerJson(text)).toThrow(/JSON/);
  });

  it('has integers as numbers only where all of them are safe', () => {
    expect(integerJson('{"a":9007199254740993,"b":1}')).toEqual({ a: '9007199254740993', b: '1' });
    expect(integerJson('{"a":[-1234567890123456],"b":1}')).toEqual({ a: ['-1234567890123456'], b: '1' });
    expect(integerJson('{"a":123456789012345}')).toEqual({ a: 123456789012345 });
  });
});

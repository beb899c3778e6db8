import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FilesystemStore } from '../storage/filesystem.storage';
import { openParquet, rowsOf } from './parquet-file';

const checkpoint = resolve(
  __dirname,
  '../../../../test/fixtures/lakehouse/warehouse/lake/checkpoint_multipart/_delta_log',
  '00000000000000000012.checkpoint.0000000002.0000000003.parquet',
);
const folder = mkdtempSync(join(tmpdir(), 'parquet-'));
const store = new FilesystemStore([{ uri: 's3://lake', folder }]);
afterAll(() => rmSync(folder, { recursive: true }));

async function paths(bytes: Buffer): Promise<unknown[]> {
  writeFileSync(join(folder, 'x.parquet'), bytes);
  const file = await openParquet(store, { uri: 's3://lake/x.parquet', size: bytes.length });
  const found: unknown[] = [];
  for await (const rows of rowsOf(file, (path) => path.join('.') === 'add.path', 0)) {
    found.push(...rows.map((row) => (row['add'] as { path?: unknown } | undefined)?.path));
  }
  return found;
}

/* A writer of one column of one page, in Thrift's compact protocol: enough to lie with. */
const zigzag = (value: number | bigint) => varint((BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
const varint = (value: bigint): Buffer =>
  value < 128n
    ? Buffer.from([Number(value)])
    : Buffer.concat([Buffer.from([Number(value & 127n) | 128]), varint(value >> 7n)]);
const text = (value: string) => Buffer.concat([varint(BigInt(value.length)), Buffer.from(value)]);
const list = (type: number, items: Buffer[]) => Buffer.concat([Buffer.from([(items.length << 4) | type]), ...items]);
type Field = readonly [id: number, type: number, bytes: Buffer];
const i32 = (id: number, value: number): Field => [id, 5, zigzag(value)];
const i64 = (id: number, value: number): Field => [id, 6, zigzag(value)];
const struct = (...fields: Field[]) => {
  let last = 0;
  const parts = fields.flatMap(([id, type, bytes]) => {
    const head = Buffer.from([((id - last) << 4) | type]);
    last = id;
    return [head, bytes];
  });
  return Buffer.concat([...parts, Buffer.from([0])]);
};

interface Lies {
  readonly values?: number;
  readonly rows?: number;
  readonly size?: number;
  readonly codec?: number;
  readonly body?: Buffer;
}

/** A file of one row, `add.path` = `a`, as far as nothing else is said. */
function parquet({ values = 1, rows = 1, size, codec = 0, body }: Lies = {}): Buffer {
  const plain = Buffer.from([2, 0, 0, 0, 2, 1, 1, 0, 0, 0, 97]);
  const data = body ?? plain;
  const pageHead = struct([5, 12, struct(i32(1, values), i32(2, 0), i32(3, 3), i32(4, 3))]);
  const header = Buffer.concat([
    struct(i32(1, 0), i32(2, size ?? data.length), i32(3, data.length)).subarray(0, -1),
    Buffer.from([0x2c]),
    pageHead.subarray(1),
  ]);
  const bytes = header.length + data.length;
  const meta = struct(
    i32(1, 6),
    [2, 9, list(5, [zigzag(0)])],
    [3, 9, list(8, [text('add'), text('path')])],
    i32(4, codec),
    i64(5, values),
    i64(6, bytes),
    i64(7, bytes),
    i64(9, 4),
  );
  const footer = struct(
    i32(1, 1),
    [
      2,
      9,
      list(12, [
        struct([4, 8, text('root')], i32(5, 1)),
        struct(i32(3, 1), [4, 8, text('add')], i32(5, 1)),
        struct(i32(1, 6), i32(3, 0), [4, 8, text('path')], i32(6, 0)),
      ]),
    ],
    i64(3, rows),
    [4, 9, list(12, [struct([1, 9, list(12, [struct(i64(2, 4), [3, 12, meta])])], i64(2, bytes), i64(3, rows))])],
  );
  const length = Buffer.alloc(4);
  length.writeUInt32LE(footer.length);
  return Buffer.concat([Buffer.from('PAR1'), header, data, footer, length, Buffer.from('PAR1')]);
}

describe('a Parquet file', () => {
  it('is read when it is honest', async () => {
    expect(await paths(parquet())).toEqual(['a']);
    expect(
      await paths(parquet({ codec: 2, size: 11, body: gzipSync(Buffer.from([2, 0, 0, 0, 2, 1, 1, 0, 0, 0, 97])) })),
    ).toEqual(['a']);
  });

  it.each<[string, Lies]>([
    [
      '2 000 000 000 values in a page of ten bytes',
      { values: 2_000_000_000, body: Buffer.from([6, 0, 0, 0, 0x80, 0xd0, 0xac, 0xf3, 0x0e, 0]) },
    ],
    ['a page that unpacks to 1 GiB', { codec: 2, size: 2 ** 30, body: gzipSync(Buffer.alloc(10)) }],
    ['30 000 000 rows', { rows: 30_000_000 }],
  ])('is refused when it claims %s', async (_name, lies) => {
    await expect(paths(parquet(lies))).rejects.toMatchObject({ code: 'too_large', faultClass: 'terminal' });
  });

  it('is refused when a page unpacks to more than it claims', async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    await expect(paths(parquet({ codec: 2, size: 11, body: bomb }))).rejects.toMatchObject({ code: 'corrupt' });
  });

  it('is corrupt wherever it is cut', async () => {
    const bytes = readFileSync(checkpoint);
    for (let length = 0; length < bytes.length; length += 97) {
      await expect(paths(bytes.subarray(0, length))).rejects.toMatchObject({ code: 'corrupt' });
    }
  });

  it('is read or refused, but never breaks anything, whatever byte is wrong', async () => {
    const bytes = readFileSync(checkpoint);
    for (let at = 3; at < bytes.length; at += 61) {
      const broken = Buffer.from(bytes);
      broken[at] = broken[at]! ^ 255;
      await paths(broken).catch((error: unknown) =>
        expect(error).toHaveProperty('code', expect.stringMatching(/^(corrupt|too_large)$/)),
      );
    }
  });
});

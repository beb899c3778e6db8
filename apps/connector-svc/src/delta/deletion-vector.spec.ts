import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { FilesystemStore } from '../storage/filesystem.storage';
import { type VectorDescriptor } from './actions';
import { checkVector, placedVector } from './deletion-vector';
import { rowsMarked } from './roaring';
import { fromZ85 } from './z85';

const roots = ['s3://lake/t'] as const;
const folder = mkdtempSync(join(tmpdir(), 'vectors-'));
const store = new FilesystemStore([{ uri: roots[0], folder }]);
afterAll(() => rmSync(folder, { recursive: true }));

/** Rows 1, 3 and 5, inline, as Spark writes and reads them. */
const example = {
  ...{ storageType: 'i', pathOrInlineDv: '^Bg9^0rr910000000000iXQKl0rr91000625c8Xg0rri41POJ5' },
  ...{ offset: null, sizeInBytes: 38n, cardinality: 3n },
};

const array = (...rows: number[]) => {
  const bytes = Buffer.alloc(16 + 2 * rows.length);
  bytes.writeUInt32LE(12_346, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt16LE(rows.length - 1, 10);
  bytes.writeUInt32LE(16, 12);
  rows.forEach((row, at) => bytes.writeUInt16LE(row, 16 + 2 * at));
  return bytes;
};
/** One container of one run: rows 0 … 9. */
const run = Buffer.from('3b30000001000009000100000009 00'.replaceAll(' ', ''), 'hex');
const bitset = () => {
  const bytes = Buffer.alloc(16 + 8192, 255);
  bytes.writeUInt32LE(12_346, 0);
  bytes.writeUInt32LE(1, 4);
  bytes.writeUInt32LE(0xffff_0000, 8);
  bytes.writeUInt32LE(16, 12);
  return bytes;
};
const vectorOf = (...bitmaps: Buffer[]) => {
  const head = Buffer.alloc(12);
  head.writeUInt32LE(1_681_511_377, 0);
  head.writeBigUInt64LE(BigInt(bitmaps.length), 4);
  const keyed = bitmaps.map((bitmap, key) => Buffer.concat([Buffer.from([key, 0, 0, 0]), bitmap]));
  return Buffer.concat([head, ...keyed]);
};

/** A file with one vector behind its version byte, and the descriptor of it. */
function fileWith(bitmap: Buffer, change: (bytes: Buffer) => void = () => {}): VectorDescriptor {
  const bytes = Buffer.alloc(bitmap.length + 9, 1);
  bytes.writeUInt32BE(bitmap.length, 1);
  bitmap.copy(bytes, 5);
  bytes.writeUInt32BE(crc32(bitmap), 5 + bitmap.length);
  change(bytes);
  writeFileSync(join(folder, 'deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin'), bytes);
  return {
    storageType: 'u',
    pathOrInlineDv: 'vBn[lx{q8@P<9BNH/isA',
    offset: 1n,
    sizeInBytes: BigInt(bitmap.length),
    cardinality: 2n,
  };
}

const check = (vector: VectorDescriptor) => checkVector(store, roots, vector);
const corrupt = (message: RegExp) => ({ code: 'corrupt', message: expect.stringMatching(message) });

describe('where a deletion vector lies', () => {
  const path = (storageType: string, pathOrInlineDv: string) =>
    placedVector(roots, { ...example, storageType, pathOrInlineDv }).path;

  it.each([
    ['u', 'vBn[lx{q8@P<9BNH/isA', 'deletion_vector_61d16c75-6994-46b7-a15b-8b538852e50e.bin'],
    ['u', 'ab^-aqEH.-t@S}K{vb[*k^', 'ab/deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin'],
    ['p', 's3://lake/t/my%20file.bin', 's3://lake/t/my%20file.bin'],
    ['i', example.pathOrInlineDv, null],
  ])('%s with %s is found', (type, text, uri) => {
    expect(path(type, text)).toBe(uri);
  });

  it.each([
    ['p', 's3://other/x.bin', 'outside_root'],
    ['p', 'file:///etc/passwd', 'outside_root'],
    ['u', '../vBn[lx{q8@P<9BNH/isA', 'outside_root'],
    ['u', 'short', 'corrupt'],
    ['u', 'vBn[lx{q8@P<9BNH/is"', 'corrupt'],
    ['z', 'x', 'unsupported'],
  ])('%s with %s is refused', (type, text, code) => {
    expect(() => path(type, text)).toThrow(expect.objectContaining({ code }) as Error);
  });
});

describe('checking a deletion vector', () => {
  it('takes one that the log itself holds', async () => {
    await expect(check(example)).resolves.toBeUndefined();
  });

  it('takes one in a file', async () => {
    await expect(check(fileWith(vectorOf(array(3, 9))))).resolves.toBeUndefined();
  });

  it('finds another number of rows than the log says', async () => {
    await expect(check({ ...example, cardinality: 7n })).rejects.toMatchObject(corrupt(/marks 3 rows, the log says 7/));
  });

  it.each<[string, (bytes: Buffer) => void, RegExp]>([
    ['a flipped bit', (bytes) => bytes.writeUInt8(bytes[20]! ^ 1, 20), /wrong checksum/],
    ['another size', (bytes) => bytes.writeUInt32BE(7, 1), /no deletion vector of 36 bytes at 1/],
  ])('finds %s in a file', async (_name, change, message) => {
    await expect(check(fileWith(vectorOf(array(3, 9)), change))).rejects.toMatchObject(corrupt(message));
  });

  it('finds a file that ends early, or is not there', async () => {
    const vector = fileWith(vectorOf(array(3, 9)));
    await expect(check({ ...vector, sizeInBytes: 37n })).rejects.toMatchObject(corrupt(/no deletion vector/));
    await expect(check({ ...vector, pathOrInlineDv: '0'.repeat(20) })).rejects.toMatchObject({ code: 'not_found' });
    await expect(check({ ...vector, sizeInBytes: 2n ** 31n - 1n })).rejects.toMatchObject({ code: 'too_large' });
  });
});

describe('rows of a Roaring bitmap', () => {
  it.each<[string, Buffer, bigint | null]>([
    ['no bitmap', vectorOf(), 0n],
    ['an array', vectorOf(array(1, 2, 3)), 3n],
    ['a run', vectorOf(run), 10n],
    ['a bitset', vectorOf(bitset()), 65_536n],
    ['several', vectorOf(array(1), run, bitset(), array(5, 6)), 65_549n],
    ['bytes behind the end', Buffer.concat([vectorOf(run), Buffer.alloc(1)]), null],
    ['an end in the middle', vectorOf(bitset()).subarray(0, 99), null],
    ['another magic number', Buffer.alloc(40), null],
    ['2^40 bitmaps', Buffer.from('d1d339640000000000010000', 'hex'), null],
    ['nothing', Buffer.alloc(0), null],
  ])('%s', (_name, bytes, rows) => {
    expect(rowsMarked(bytes)).toBe(rows);
  });
});

describe('Z85', () => {
  it('reads the example of its RFC', () => {
    expect(fromZ85('HelloWorld')?.toString('hex')).toBe('864fd26fb559f75b');
  });

  it.each(['four', 'abc"e', '#####', 'żóżóż'])('refuses %s', (text) => {
    expect(fromZ85(text)).toBeNull();
  });
});

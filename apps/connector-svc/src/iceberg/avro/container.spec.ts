import { deflateRawSync } from 'node:zlib';
import { avroFile } from '@homeostat/testing';
import { readAvro } from './container';
import { Pairs } from './pairs';

const schema = {
  type: 'record',
  name: 'one',
  fields: [
    { name: 'id', type: 'long' },
    { name: 'name', type: ['null', 'string'] },
    { name: 'counts', type: { type: 'array', logicalType: 'map', items: pairOf('c', 'long') } },
    { name: 'kind', type: { type: 'enum', name: 'kind', symbols: ['a', 'b'] } },
    { name: 'hash', type: { type: 'fixed', name: 'hash', size: 2 } },
    { name: 'more', type: { type: 'map', values: 'double' } },
    { name: 'flags', type: { type: 'array', items: 'boolean' } },
    { name: 'ratio', type: 'float' },
  ],
};
const record = {
  ...{ id: 1, name: 'ż', counts: [{ key: 7, value: -300 }], kind: 'b', hash: Buffer.from([1, 2]) },
  ...{ more: { x: 0.5 }, flags: [true, false], ratio: 0.25 },
};
const sync = Buffer.alloc(16, 7);

function pairOf(name: string, type: string): object {
  const fields = [
    { name: 'key', type: 'int' },
    { name: 'value', type },
  ];
  return { type: 'record', name, fields };
}

/** A file made by hand: one block of `count` records of one long each. */
function made(block: Buffer, { codec = 'null', count = 1, size = block.length, end = sync } = {}): Buffer {
  const long = (value: number): number[] =>
    value < 64 ? [value << 1] : [((value << 1) & 0x7f) | 0x80, ...rest(value >> 6)];
  const rest = (value: number): number[] => (value < 128 ? [value] : [(value & 0x7f) | 0x80, ...rest(value >> 7)]);
  const text = (value: string): Buffer => Buffer.concat([Buffer.from(long(value.length)), Buffer.from(value)]);
  const facts = [text('avro.schema'), text('{"type":"record","name":"r","fields":[{"name":"v","type":"long"}]}')];
  return Buffer.concat([
    ...[Buffer.from('Obj\x01', 'latin1'), Buffer.from(long(2)), ...facts, text('avro.codec'), text(codec)],
    ...[Buffer.from([0]), sync, Buffer.from(long(count)), Buffer.from(long(size)), block, end],
  ]);
}

async function read(bytes: Buffer, pieceSize = bytes.length, wanted = (_field: string) => true): Promise<unknown[]> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < bytes.length; at += pieceSize) yield bytes.subarray(at, at + pieceSize);
  }
  const records: unknown[] = [];
  for await (const one of readAvro('s3://b/m.avro', pieces(), wanted)) records.push(one);
  return records;
}

describe('an Avro file', () => {
  test.each(['null', 'deflate'] as const)('with codec %s is read, whatever pieces it comes in', async (codec) => {
    const records = Array.from({ length: 500 }, (_, id) => ({ ...record, id }));
    const bytes = avroFile(schema, records, codec);
    for (const size of [bytes.length, 1000, 7]) {
      const found = await read(bytes, size);
      expect(found).toHaveLength(500);
      expect(found[499]).toEqual({
        ...record,
        id: 499n,
        counts: expect.any(Pairs) as Pairs<bigint>,
        more: new Map([['x', 0.5]]),
      });
      expect((found[499] as { counts: Pairs<bigint> }).counts.get(7)).toBe(-300n);
    }
  });

  test('is read without the fields that nobody wants', async () => {
    const [only] = await read(avroFile(schema, [record]), undefined, (field) => field === 'flags');
    expect(only).toEqual({ flags: [true, false] });
  });

  test('keeps longs exact', async () => {
    const most = Buffer.from('feffffffffffffffff01', 'hex');
    const least = Buffer.from('ffffffffffffffffff01', 'hex');
    expect(await read(made(Buffer.concat([most, least]), { count: 2 }))).toEqual([
      { v: 2n ** 63n - 1n },
      { v: -(2n ** 63n) },
    ]);
  });

  test.each([
    ['with a wrong sync marker', made(Buffer.from([2]), { end: Buffer.alloc(16) }), 'sync marker'],
    ['cut inside a block', made(Buffer.from([2])).subarray(0, -17), 'cut short'],
    ['cut inside its last sync marker', made(Buffer.from([2])).subarray(0, -1), 'cut short'],
    ['whose block ends inside a value', made(Buffer.from([0x80])), 'inside a value'],
    ['whose block has fewer records than it says', made(Buffer.from([2]), { count: 2 }), 'more records than bytes'],
    ['whose block has more bytes than its records', made(Buffer.from([2, 2])), 'longer than its records'],
    ['whose block says that it is huge', made(Buffer.from([2]), { size: 2 ** 30 }), 'impossible size'],
    ['with a number of eleven bytes', made(Buffer.alloc(11, 0x80)), 'ten bytes'],
    ['that is something else', Buffer.from('PAR1 and more'), 'not an Avro file'],
    ['that is empty', Buffer.alloc(0), 'cut short'],
    ['that does not unpack', made(Buffer.from([0xff, 0xff, 0xff]), { codec: 'deflate' }), 'does not unpack'],
    ['that is not zstd', made(Buffer.from('nothing at all'), { codec: 'zstandard' }), 'does not unpack'],
    ['whose snappy checksum is wrong', made(Buffer.from([1, 0, 2, 9, 9, 9, 9]), { codec: 'snappy' }), 'checksum'],
  ])('%s is corrupt', async (_what, bytes, said) => {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining(said) as string,
    });
  });

  test('with an unknown codec is unsupported, by its name', async () => {
    const fault = { code: 'unsupported', message: 's3://b/m.avro: its Avro codec is xz' };
    await expect(read(made(Buffer.from([2]), { codec: 'xz' }))).rejects.toMatchObject(fault);
  });

  test.each([
    ['deflate', deflateRawSync(Buffer.alloc(80 << 20))],
    ['snappy', Buffer.from([0x80, 0x80, 0x80, 0x80, 0x08, 0, 0, 0, 0, 0])],
    ['zstandard', zstdBomb()],
  ])('that grows without measure by %s is refused, and its memory never taken', async (codec, block) => {
    const before = process.memoryUsage().rss;
    await expect(read(made(block, { codec }))).rejects.toMatchObject({ code: 'corrupt' });
    expect(process.memoryUsage().rss - before).toBeLessThan(150 << 20);
  });

  test('whose schema is nested without end is refused', async () => {
    const deep = '{"type":"array","items":'.repeat(1000) + '"int"' + '}'.repeat(1000);
    const bytes = made(Buffer.from([2]));
    const from = bytes.indexOf('{"type"');
    const header = Buffer.concat([
      bytes.subarray(0, from - 2),
      Buffer.from([0x80 | ((deep.length << 1) & 0x7f), (deep.length >> 6) | 0x80, deep.length >> 13]),
    ]);
    const file = Buffer.concat([
      header,
      Buffer.from(deep),
      bytes.subarray(bytes.indexOf('\x14avro.codec', 0, 'latin1')),
    ]);
    await expect(read(file)).rejects.toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('nested') as string,
    });
  });
});

/** A frame of a thousand blocks, of four bytes each, that stand for 128 kB each. */
function zstdBomb(): Buffer {
  const block = Buffer.alloc(4);
  block.writeUIntLE((131_072 << 3) | (1 << 1), 0, 3);
  const last = Buffer.from(block);
  last[0]! |= 1;
  const head = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, 0x58]);
  return Buffer.concat([head, ...Array<Buffer>(999).fill(block), last]);
}

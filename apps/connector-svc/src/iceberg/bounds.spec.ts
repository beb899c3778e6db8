import { type LeafType } from '../connector/data-type';
import { Slice } from './avro/cursor';
import { boundOf } from './bounds';

function type(kind: string, more: object = {}): LeafType {
  return { kind, source: kind, ...more } as LeafType;
}

function textOf(of: LeafType, hex: string): string | undefined {
  const bytes = Buffer.from(hex, 'hex');
  // Bytes before and after, as in a block.
  const block = Buffer.concat([Buffer.alloc(3, 0xee), bytes, Buffer.alloc(9, 0xee)]);
  return boundOf(of, new Slice(block, 3, bytes.length))?.text;
}

describe('a bound, by its type and its width', () => {
  test.each([
    [type('boolean'), '01', 'true'],
    [type('boolean'), '00', 'false'],
    [type('int'), 'feffffff', '-2'],
    [type('long'), '0100000000000080', '-9223372036854775807'],
    [type('long'), 'feffffff', '-2'],
    [type('float'), '0000003f', '0.5'],
    [type('double'), '0000003f', '0.5'],
    [type('double'), '0000000000000080', '0.0'],
    [type('date'), 'ffffffff', '1969-12-31'],
    [type('timestamp'), 'ffffffff', '1969-12-31T00:00:00.000000'],
    [type('timestamptz_ns'), '01000000', '1970-01-02T00:00:00.000000000Z'],
    [type('timestamp'), 'ffffffffffffffff', '1969-12-31T23:59:59.999999'],
    [type('timestamptz_ns'), '0100000000000000', '1970-01-01T00:00:00.000000001Z'],
    [type('time'), 'ff5fd71d14000000', '23:59:59.999999'],
    [type('decimal', { precision: 9, scale: 2 }), 'fb2e', '-12.34'],
    [type('decimal', { precision: 38, scale: 3 }), '00', '0.000'],
    [type('uuid'), '0123456789abcdef0123456789abcdef', '01234567-89ab-cdef-0123-456789abcdef'],
    [type('fixed', { length: 2 }), 'cbcb', 'y8s='],
    [type('binary'), '', ''],
    [type('string'), 'c5bc', 'ż'],
    [type('string'), 'efbfbd', '\ufffd'],
  ])('%j %s is %j', (of, hex, text) => expect(textOf(of, hex)).toBe(text));

  test.each([
    [type('int'), '010000'],
    [type('float'), '0000c07f'],
    [type('double'), '000000000000f87f'],
    [type('date'), '0000000000000000'],
    [type('time'), '00000000'],
    [type('boolean'), ''],
    [type('decimal', { precision: 9, scale: 2 }), ''],
    [type('decimal', { precision: 9, scale: 2 }), '00'.repeat(17)],
    [type('uuid'), '00'],
    [type('string'), 'c5'],
    [type('other'), '00'],
  ])('%j %s is none: NaN, or bytes that do not fit', (of, hex) => expect(textOf(of, hex)).toBeUndefined());
});

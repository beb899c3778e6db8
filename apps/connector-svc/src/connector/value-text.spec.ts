import * as fc from 'fast-check';
import {
  boundOfText,
  compare,
  dateText,
  decimalText,
  floatText,
  timestampText,
  timeText,
  uuidText,
} from './value-text';

const dayMs = 86_400_000;

describe('the texts of values', () => {
  test.each([
    [0, '1970-01-01'],
    [-1, '1969-12-31'],
    [19_782, '2024-02-29'],
    [-719_528, '0000-01-01'],
    [-719_529, '-000001-12-31'],
    [2_932_896, '9999-12-31'],
    [2_932_897, '+010000-01-01'],
    [2_147_483_647, '+5881580-07-11'],
  ])('day %i is %s', (day, text) => expect(dateText(day)).toBe(text));

  test('days are those of the calendar', () => {
    fc.assert(
      fc.property(fc.integer({ min: -100_000_000, max: 100_000_000 }), (day) => {
        expect(dateText(day)).toBe(new Date(day * dayMs).toISOString().split('T')[0]);
      }),
    );
  });

  test.each([
    [0n, 'timestamp', '1970-01-01T00:00:00.000000'],
    [-1n, 'timestamptz', '1969-12-31T23:59:59.999999Z'],
    [-1n, 'timestamp_ns', '1969-12-31T23:59:59.999999999'],
    [1_700_000_000_123_456_789n, 'timestamptz_ns', '2023-11-14T22:13:20.123456789Z'],
    [9_223_372_036_854_775_807n, 'timestamp', '+294247-01-10T04:00:54.775807'],
    [-9_223_372_036_854_775_808n, 'timestamp', '-290308-12-21T19:59:05.224192'],
  ] as const)('%s of a %s is %s', (units, kind, text) => expect(timestampText(units, kind)).toBe(text));

  test('numbers beyond 2^53 are split as exactly as those below', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (nanos) => {
        const text = timestampText(nanos, 'timestamp_ns');
        expect(text.endsWith(String(((nanos % 10n ** 9n) + 10n ** 9n) % 10n ** 9n).padStart(9, '0'))).toBe(true);
      }),
    );
  });

  test('times, decimals, floats and UUIDs', () => {
    expect(timeText(86_399_999_999n)).toBe('23:59:59.999999');
    expect([decimalText(-5n, 3), decimalText(0n, 2), decimalText(12n, 0), decimalText(3n, -2)]).toEqual([
      ...['-0.005', '0.00', '12', '300'],
    ]);
    expect([1, -0, 0.1, 1e300, Infinity, NaN].map(floatText)).toEqual([
      '1.0',
      '0.0',
      '0.1',
      '1e+300',
      'Infinity',
      'NaN',
    ]);
    expect(uuidText(Buffer.alloc(16, 0xab))).toBe('abababab-abab-abab-abab-abababababab');
  });
});

describe('the order of values', () => {
  test.each([
    ['a', 'b'],
    ['a', 'ab'],
    ['', 'a'],
    ['\uffff', '\u{10000}'],
    ['\ue000', '\u{1f986}'],
    ['ż', '\u{1f986}'],
  ])('%j is before %j', (a, b) => {
    expect(compare(a, b)).toBeLessThan(0);
    expect(compare(b, a)).toBeGreaterThan(0);
    expect(compare(a, a)).toBe(0);
  });

  test('is that of UTF-8 for texts', () => {
    const text = fc.string({ unit: 'grapheme-composite' });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(Math.sign(compare(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
      }),
    );
  });

  test('is by value for numbers in texts, which are kept as they stand', () => {
    const decimal = { kind: 'decimal', source: 'decimal(38,2)', precision: 38, scale: 2 } as const;
    const [less, more] = [boundOfText(decimal, '9.50')!, boundOfText(decimal, '1e1')!];
    expect(compare(less.value, more.value)).toBeLessThan(0);
    expect([less.text, more.text]).toEqual(['9.50', '1e1']);
    expect(boundOfText({ kind: 'long', source: 'long' }, '9223372036854775807')!.value).toBe(2n ** 63n - 1n);
  });

  test.each([
    ['long', 'x'],
    ['long', '1.5'],
    ['double', ''],
    ['boolean', 'yes'],
  ] as const)('a %s %j is no bound', (kind, text) => expect(boundOfText({ kind, source: kind }, text)).toBeNull());
});

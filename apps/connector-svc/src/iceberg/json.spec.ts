import * as fc from 'fast-check';
import { JsonReader, parseJson } from './json';

describe('JSON with integers of 64 bits', () => {
  test('is what JSON.parse makes of it, where nothing is rounded', () => {
    fc.assert(
      fc.property(fc.json(), fc.constantFrom(0, 1, 4), (text, indent) => {
        const value: unknown = JSON.parse(text);
        fc.pre(!/\d{16}/.test(text));
        expect(parseJson(JSON.stringify(value, null, indent), 's')).toEqual(value);
      }),
    );
  });

  test('keeps every digit, wherever the integer stands', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.string(), (id, name) => {
        const text = `{${JSON.stringify(name)}:"1","a":[{"id": ${id}\n,"b":${id}}],"c":${id}}`;
        const reader = JsonReader.of(parseJson(text, 's'), 's');
        if (name !== 'c') expect(reader.long('c')).toBe(id);
        const inner = name === 'a' ? null : reader.objects('a')[0]!;
        if (inner) expect([inner.long('id'), inner.long('b')]).toEqual([id, id]);
      }),
    );
  });

  test('leaves texts alone, and fractions', () => {
    const value = {
      a: '12345678901234567890',
      b: '\\"12345678901234567890',
      c: 'x\\',
      d: 0.12345678901234568,
      e: 1.5e300,
    };
    expect(parseJson(JSON.stringify(value), 's')).toEqual(value);
  });

  test('does not take a long integer for a text, but shows it in a map of texts', () => {
    const reader = JsonReader.of(
      parseJson('{"a": 12345678901234567890, "m": {"n": 12345678901234567890, "k": 5}}', 's'),
      's',
    );
    expect(() => reader.text('a')).toThrow('s.a: a string was expected');
    expect(() => reader.int('a')).toThrow('s.a: an integer was expected');
    expect(reader.textMap('m')).toEqual({ n: '12345678901234567890', k: '5' });
  });

  test('has longs of 64 bits, and no others', () => {
    const reader = JsonReader.of(parseJson('{"a": 9223372036854775808, "b": "\\u0000x", "c": "5"}', 's'), 's');
    for (const name of ['a', 'b', 'c']) expect(() => reader.long(name)).toThrow(`s.${name}`);
  });

  test.each(['', '{', '"abc', '{"a": 1234567890123456789', '[1,]', '-', '{"a":"\\'])('%j is corrupt', (text) => {
    expect(() => parseJson(text, 's')).toThrow(expect.objectContaining({ code: 'corrupt' }) as Error);
  });
});

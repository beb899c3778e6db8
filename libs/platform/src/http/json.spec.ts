import { checkIfMatch, etagOf } from './answer';
import { canonical, present, unstorables } from './json';

const at = new Date('2026-01-02T03:04:05.678Z');

it('shows times in UTC with milliseconds, wherever they are', () => {
  expect(present({ at, list: [{ at }], nothing: null, left: undefined })).toEqual({
    at: '2026-01-02T03:04:05.678Z',
    list: [{ at: '2026-01-02T03:04:05.678Z' }],
    nothing: null,
  });
});

it('gives equal values one text, in whatever order they were written', () => {
  expect(canonical({ b: [{ y: 1, x: 2 }], a: null })).toBe('{"a":null,"b":[{"x":2,"y":1}]}');
});

it('has one ETag for one representation, whether its times are dates or texts', () => {
  expect(etagOf({ a: 1, at })).toBe(etagOf({ at: at.toISOString(), a: 1 }));
  expect(etagOf({ a: 1 })).not.toBe(etagOf({ a: 2 }));
});

it('compares If-Match strongly, with any of its tags', () => {
  const row = { id: '1', at };
  for (const match of [null, '*', etagOf(row), `"x", ${etagOf(row)}`])
    expect(() => checkIfMatch(match, row)).not.toThrow();
  for (const no of ['"x"', `W/${etagOf(row)}`, etagOf(row).slice(1), ''])
    expect(() => checkIfMatch(no, row)).toThrow('If-Match');
});

it('finds what cannot be stored, wherever it is', () => {
  const value = JSON.parse('{"a":{"b":["ok","\\u0000"]},"c\\u0000":1,"__proto__":{}}') as unknown;
  const faults = unstorables(value, (path) => path.join('/'));
  expect(faults.map(({ pointer }) => pointer)).toEqual(['a/b/1', 'c\uFFFD', '__proto__']);
});

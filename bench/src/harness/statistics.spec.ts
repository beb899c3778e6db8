import { median, quantile } from './statistics';

test.each<[string, number[], number, number]>([
  ['the middle one of an odd number', [9, 1, 5], 0.5, 5],
  ['half way between the middle two of an even number', [1, 2, 4, 100], 0.5, 3],
  ['the only one there is', [7], 0.99, 7],
  ['the least', [3, 1, 2], 0, 1],
  ['the greatest', [3, 1, 2], 1, 3],
  ['by proportion between neighbours', [0, 10], 0.9, 9],
])('a quantile is %s', (_, values, share, expected) => {
  expect(quantile(values, share)).toBeCloseTo(expected);
});

test('a median does not disturb its values', () => {
  const values = [3, 1, 2];
  expect(median(values)).toBe(2);
  expect(values).toEqual([3, 1, 2]);
});

test('there is no median of nothing', () => {
  expect(() => median([])).toThrow('nothing');
});

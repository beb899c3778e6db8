import fc from 'fast-check';
import { addressOf, parseNetwork, textOf } from './address';

const usual = parseNetwork('10.77.0.0/16')!;

test.each([
  [1, '10.77.0.10'],
  [31, '10.77.0.250'],
  [32, '10.77.1.2'],
  [8191, '10.77.255.250'],
])('VM number %d has the address %s', (number, address) => {
  expect(addressOf(usual, number)).toBe(address);
});

test.each([-1, 8192, 1.5, NaN])('there is no VM number %d in the usual network', (number) => {
  expect(() => addressOf(usual, number)).toThrow(RangeError);
});

test.each(['10.77.0.0', '10.77.0.0/30', '10.77.0.1/16', '300.0.0.0/8', '10.77.0.0/33', '::/64', ''])(
  '%p is no network for VMs',
  (text) => {
    expect(parseNetwork(text)).toBeNull();
  },
);

test.each(['10.77.0.0/16', '192.168.8.0/29', '0.0.0.0/0'])('%p is told as it was written', (text) => {
  expect(textOf(parseNetwork(text)!)).toBe(text);
});

test('no two VMs share an address, and none leaves the network', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 8191 }), fc.integer({ min: 0, max: 8191 }), (one, other) => {
      expect(addressOf(usual, one) === addressOf(usual, other)).toBe(one === other);
      expect(addressOf(usual, one)).toMatch(/^10\.77\./);
    }),
  );
});

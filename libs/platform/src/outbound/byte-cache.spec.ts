import { ByteCache } from './byte-cache';

const MIB = 1024 * 1024;
const found = (cache: ByteCache<string>, ...digests: string[]) => digests.map((digest) => cache.get(digest)?.length);

it('keeps what was read last, up to its budget', () => {
  const cache = new ByteCache<string>(16 * MIB);
  for (const digest of ['a', 'b', 'c', 'd']) cache.set(digest, Buffer.alloc(4 * MIB));
  cache.set('a', Buffer.alloc(1));
  expect(found(cache, 'a', 'b', 'c', 'd')).toEqual([4 * MIB, 4 * MIB, 4 * MIB, 4 * MIB]);
  cache.set('e', Buffer.alloc(1));
  expect(found(cache, 'a', 'b', 'c', 'd', 'e')).toEqual([undefined, 4 * MIB, 4 * MIB, 4 * MIB, 1]);
});

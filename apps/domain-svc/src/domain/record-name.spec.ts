import { recordName } from './record-name';

test.each([
  ['01234567-89ab-cdef-0123-456789abcdef', '99dn6s7bZoVpjzYciVNgN'],
  ['00112233-4455-6677-8899-aabbccddeeff', '1UoWww8DGaVGLtea7zU7p'],
  ['ffffffff-ffff-ffff-ffff-ffffffffffff', 'YcVfxkQb6JRzqk5kF2tNLv'],
  ['fedcba98-7654-3210-fedc-ba9876543210', 'YUM3BeYUVjdW216CdKPzfZ'],
  ['00000000-0000-0000-0000-000000000000', '1111111111111111'],
  ['FEDCBA98-7654-3210-FEDC-BA9876543210', 'YUM3BeYUVjdW216CdKPzfZ'],
])('the record of %s starts with %s', (id, encoded) => {
  expect(recordName(id, 'example.com', 'zeitwork')).toBe(`${encoded}-zeitwork.example.com`);
});

import fc from 'fast-check';
import { parseDomainName } from './domain-name';
import { recordName } from './record-name';

const parse = (input: string): { name: string } | { fault: string } => parseDomainName(input, 'zeitwork');
const a = (length: number): string => 'a'.repeat(length);
const long = (length: number): string => `${a(63)}.${a(63)}.${a(50)}.${a(length - 179)}`;

test.each([
  ['example.com', 'example.com'],
  ['EXAMPLE.Com', 'example.com'],
  ['example.com.', 'example.com'],
  ['a.b.c.d.example.co.uk', 'a.b.c.d.example.co.uk'],
  ['1e3.com', '1e3.com'],
  ['123.example', '123.example'],
  ['r3---sn.example.com', 'r3---sn.example.com'],
  ['Bücher.example', 'xn--bcher-kva.example'],
  ['faß.de', 'xn--fa-hia.de'],
  ['XN--BCHER-KVA.example', 'xn--bcher-kva.example'],
  ['日本語。jp', 'xn--wgv71a119e.jp'],
  ['ｅｘａｍｐｌｅ.com', 'example.com'],
  [`${a(63)}.com`, `${a(63)}.com`],
  [long(221), long(221)],
])('%s is the name %s', (input, name) => {
  expect(parse(input)).toEqual({ name });
});

test.each([
  ['', /Give a domain name/],
  [' example.com', /white space/],
  ['example.com\n', /white space/],
  ['exam\u00a0ple.com', /white space/],
  ['exam\u200bple.com', /invisible/],
  ['exam\u00adple.com', /invisible/],
  ['example.com\u0000', /invisible/],
  ['https://example.com', /scheme/],
  ['example.com/path', /path/],
  ['example.com?q', /path/],
  ['example.com:443', /port/],
  ['me@example.com', /"@"/],
  ['*.example.com', /Wildcards/],
  ['a_b.example.com', /underscores/],
  ['ex%41mple.com', /escapes/],
  ['localhost', /two labels/],
  ['.', /empty label/],
  ['..', /empty label/],
  ['.example.com', /empty label/],
  ['example..com', /empty label/],
  ['example.com..', /empty label/],
  ['-a.example.com', /hyphen/],
  ['a-.example.com', /hyphen/],
  ['a,b.com', /letters, digits/],
  ['xn--a.com', /IDNA/],
  ['xn--.com', /IDNA/],
  [`${a(64)}.com`, /Shorten the label/],
  [long(222), /at most 221 characters/],
  ['127.0.0.1', /IP address/],
  ['127.1', /IP address/],
  ['0x7f.1', /IP address/],
  ['１２７.0.0.1', /IP address/],
  ['example.0x', /IP address/],
  ['example.123', /IP address/],
  ['::1', /IP address/],
  ['[2001:db8::1]', /IP address/],
  ['\ud800.com', /IDNA|letters/],
])('%j is refused: %s', (input, fault) => {
  expect(parse(input)).toEqual({ fault: expect.stringMatching(fault) as string });
});

test('the longest name leaves room for its record, whatever the label', () => {
  for (const label of ['z', 'zeitwork', a(40)]) {
    const longest = 253 - 24 - label.length;
    expect(parseDomainName(long(longest), label)).toEqual({ name: long(longest) });
    expect(parseDomainName(long(longest + 1), label)).toHaveProperty('fault');
    expect(recordName('ffffffff-ffff-ffff-ffff-ffffffffffff', long(longest), label)).toHaveLength(253);
  }
});

const nameLike = fc
  .array(fc.constantFrom('a', 'B', 'ü', 'ß', 'İ', '١', '.', '-', '。', 'xn--', '0x', '1', '\u200d', '日', 'ﬀ', '_'))
  .map((parts) => parts.join(''));

test('never throws, and a name that it gives is a name already', () => {
  fc.assert(
    fc.property(fc.oneof(nameLike, fc.domain(), fc.string({ unit: 'binary' })), (input) => {
      const parsed = parse(input);
      if ('name' in parsed) expect(parse(parsed.name)).toEqual(parsed);
      else expect(parsed.fault).toMatch(/^[A-Z].*\.$/s);
    }),
    { numRuns: 2_000 },
  );
});

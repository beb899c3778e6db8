import { cidOf, digestOf, isRecordCid } from './cid';

const digest = `sha256:${'00ff'.repeat(16)}`;
const cid = cidOf(digest);

test('a CID of a record is that of its blob', () => {
  expect(isRecordCid(cid)).toBe(true);
  expect(digestOf(cid)).toBe(digest);
});

test.each([
  ['in capitals', cid.toUpperCase()],
  ['with one character too few', cid.slice(0, -1)],
  ['with one too many', `${cid}a`],
  ['with bits set that mean nothing', cid.slice(0, -1) + 'b'],
  ['of version 0', 'QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG'],
  ['of another codec', `bafkrei${cid.slice(7)}`],
  [
    'of a longer hash',
    'bafkrgqhhyivzstcz3hhswshfjgy6ertgmnqeleynhwt4dlfsthi4hn7zgh4uvlsb5xncykzapi3ocd4lzogukir6ksdy6wzrnz6ohnv4aglcs',
  ],
  ['in another base', `z${cid.slice(1)}`],
  ['with something before it', ` ${cid}`],
  ['with a line after it', `${cid}\n`],
  ['that is none at all', 'latest'],
])('a tag %s is none', (_, tag) => {
  expect(isRecordCid(tag)).toBe(false);
});

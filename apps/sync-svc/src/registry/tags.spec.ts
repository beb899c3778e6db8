import { PAGE_SIZE, firstPage, parseTags, tagPage } from './tags';

const numbered = (from: number, count: number) =>
  Array.from({ length: count }, (_, at) => `t${String(from + at).padStart(9, '0')}`);
const first = firstPage('/v2/dir');

describe('tagPage', () => {
  it('goes on where the registry says', () => {
    expect(tagPage(['a'], first, '/v2/dir/tags/list?last=a&n=1')).toEqual({
      tags: ['a'],
      next: '/v2/dir/tags/list?last=a&n=1',
    });
  });

  it.each([0, 1, PAGE_SIZE - 1, PAGE_SIZE + 1, 5 * PAGE_SIZE])(
    'is complete with %i tags and no word of more',
    (count) => {
      expect(tagPage(numbered(0, count), first, null).next).toBeNull();
    },
  );

  it('tries what comes after a full page', () => {
    const { next } = tagPage(numbered(0, PAGE_SIZE), first, null);
    expect(next).toBe(`/v2/dir/tags/list?n=${PAGE_SIZE}&last=t000000999#tried`);
    const more = numbered(PAGE_SIZE, 3);
    expect(tagPage(more, next!, null)).toEqual({ tags: more, next: null });
    expect(tagPage([], next!, null)).toEqual({ tags: [], next: null });
  });

  it('knows a registry that begins anew, because it ignores where to go on or has no more', () => {
    const { next } = tagPage(numbered(0, PAGE_SIZE), first, null);
    expect(tagPage(numbered(0, PAGE_SIZE), next!, null)).toEqual({ tags: [], next: null });
  });

  it('does not follow a registry that pages on without tags', () => {
    expect(() => tagPage([], first, '/v2/dir/tags/list?last=z')).toThrow('empty page');
  });
});

describe('parseTags', () => {
  it('takes null for none', () => {
    expect(parseTags(Buffer.from('{"name":"dir","tags":null}'))).toEqual([]);
  });

  it.each(['', '<html>', 'null', '[]', '{"name":"dir"}', '{"tags":"a"}'])('refuses %j', (text) => {
    expect(() => parseTags(Buffer.from(text))).toThrow('something else than a list of tags');
  });
});

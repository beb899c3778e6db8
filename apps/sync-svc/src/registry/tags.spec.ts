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
    expect(next!.split('#')[0]).toBe(`/v2/dir/tags/list?n=${PAGE_SIZE}&last=t000000999`);
    const more = numbered(PAGE_SIZE, 3);
    expect(tagPage(more, next!, null)).toEqual({ tags: more, next: null });
    expect(tagPage([], next!, null)).toEqual({ tags: [], next: null });
  });

  it('knows a registry that begins anew, because it ignores where to go on or has no more', () => {
    const { next } = tagPage(numbered(0, PAGE_SIZE), first, null);
    expect(tagPage(numbered(0, PAGE_SIZE), next!, null)).toEqual({ tags: [], next: null });
    const { next: second } = tagPage(numbered(PAGE_SIZE, PAGE_SIZE), next!, null);
    expect(tagPage(numbered(0, PAGE_SIZE), second!, null)).toEqual({ tags: [], next: null });
  });

  it('knows it also where its tags are in no order, or in another one each time', () => {
    const tags = numbered(0, PAGE_SIZE);
    const unsorted = [...tags.slice(500), ...tags.slice(0, 500)];
    const { next } = tagPage(unsorted, first, null);
    expect(tagPage(unsorted, next!, null)).toEqual({ tags: [], next: null });
    expect(tagPage(unsorted.toReversed(), next!, null)).toEqual({ tags: [], next: null });
  });

  it('takes everything from a registry that begins anew and has more meanwhile', () => {
    const tags = numbered(0, PAGE_SIZE).toReversed();
    const { next } = tagPage(tags, first, null);
    expect(tagPage(['t1', ...tags], next!, null)).toEqual({ tags: ['t1', ...tags], next: null });
  });

  it('refuses a registry that has full pages in no order without an end', () => {
    const tags = numbered(0, PAGE_SIZE).toReversed();
    const { next } = tagPage([...tags.slice(500), ...tags.slice(0, 500)], first, null);
    const others = [...numbered(PAGE_SIZE, 500), ...numbered(0, 500)];
    expect(() => tagPage(others, next!, null)).toThrow('nobody can tell where its listing ends');
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

import { nextPage } from './link';

const base = new URL('https://registry.test/v2/dir/tags/list');

describe('the next page', () => {
  it('is a path of the registry', () => {
    expect(nextPage('</v2/dir/tags/list?last=a>; rel="next"', base)).toBe('/v2/dir/tags/list?last=a');
    expect(nextPage('<?last=a>; rel=next', base)).toBe('/v2/dir/tags/list?last=a');
    expect(nextPage('</v2/x>; rel="prev"', base)).toBeNull();
    expect(nextPage(null, base)).toBeNull();
  });

  it.each([
    'https://elsewhere.test/x',
    '//elsewhere.test/x',
    'http://registry.test/x',
    'https://registry.test//169.254.169.254/x',
    '/.//169.254.169.254/x',
    '/\\\\169.254.169.254/x',
    'https://registry.test//',
  ])('is not %s', (target) => {
    expect(() => nextPage(`<${target}>; rel="next"`, base)).toThrow(expect.objectContaining({ name: 'BadArtifact' }));
  });
});

import { parseQueries } from './query';
import { versionKey } from './version-key';

const matches = (...queries: string[]) => {
  const parsed = parseQueries(queries);
  if ('faults' in parsed) throw new Error(parsed.faults.map(({ message }) => message).join('; '));
  return parsed.groups;
};
const one = (query: string) => matches(query)[0]!.any;
const after = (version: string) => `${versionKey(version)}\u0001`;

describe('parseQueries', () => {
  it('takes values of one kind for alternatives, and puts what is negated apart', () => {
    expect(matches('name:a', 'author:b', 'NAME:c', '!name:d')).toEqual([
      {
        negated: false,
        any: [
          { by: 'term', term: 'name=a' },
          { by: 'term', term: 'name=c' },
        ],
      },
      { negated: false, any: [{ by: 'term', term: 'author=b' }] },
      { negated: true, any: [{ by: 'term', term: 'name=d' }] },
    ]);
  });

  it.each([
    ['skill:10201', 'skill-id=10201'],
    ['skill:Text Completion', 'skill-name=text completion'],
    ['skill_name:10201', 'skill-name=10201'],
    ['module:303', 'module-id=303'],
    ['domain:life_science', 'domain-name=life_science'],
    ['locator:docker_image', 'locator-type=docker_image'],
    ['locator:HTTPS://Ghcr.io/a', 'locator-url=https://ghcr.io/a'],
    ['locator:oci://ghcr.io/a', 'locator-url=oci://ghcr.io/a'],
    ['annotation:env=prod', 'annotation=env=prod'],
    ['annotation:env:prod', 'annotation=env=prod'],
    ['schema-version:1.0.0', 'schema-version=1.0.0'],
    ['version:2026.11', 'version=2026.11'],
    ['version:1.0.0+build.7', 'version=1.0.0+build.7'],
    ['name:with:colons', 'name=with:colons'],
  ])('reads %s as the term %s', (query, term) => {
    expect(one(query)).toEqual([{ by: 'term', term }]);
  });

  it.each([
    ['name:*Agent-?', 'name', '%agent-_'],
    ['name:100%_\\**', 'name', '100\\%\\_\\\\%'],
    ['annotation:env', 'annotation', 'env=%'],
    ['version:1.*', 'version', '1.%'],
    ['created-at:2026-01*', 'created-at', '2026-01%'],
  ])('reads %s as a pattern', (query, kind, like) => {
    expect(one(query)).toEqual([{ by: 'pattern', kind, like }]);
  });

  it('takes a locator that begins with a wildcard for either', () => {
    expect(one('locator:*image*').map((match) => 'kind' in match && match.kind)).toEqual([
      'locator-type',
      'locator-url',
    ]);
  });

  it.each([
    ['version:1.2.0', versionKey('1.2.0'), after('1.2.0')],
    ['version:v1.2.0', versionKey('1.2.0'), after('1.2.0')],
    ['version:>=1.2.0', versionKey('1.2.0'), null],
    ['version:>1.2.0', after('1.2.0'), null],
    ['version:<2.0.0', '!', versionKey('2.0.0')],
    ['version:<=2.0.0', '!', after('2.0.0')],
    ['version:=2.0.0-rc.1', versionKey('2.0.0-rc.1'), after('2.0.0-rc.1')],
    ['version:>=1.2.0 <2.0.0', versionKey('1.2.0'), versionKey('2.0.0')],
    ['version:^1.2.0', versionKey('1.2.0'), versionKey('2.0.0-0')],
    ['version:~1.2', versionKey('1.2.0-0'), versionKey('1.3.0-0')],
  ])('reads %s by the order of semver', (query, low, high) => {
    expect(one(query)).toEqual([{ by: 'interval', column: 'version_key', interval: { low, high } }]);
  });

  it.each([
    ['created-at:2026-01-15', '2026-01-15T00:00:00.000Z', '2026-01-16T00:00:00.000Z'],
    ['created-at:>=2026-01-15', '2026-01-15T00:00:00.000Z', null],
    ['created-at:>2026-01-15', '2026-01-16T00:00:00.000Z', null],
    ['created-at:<2026-01-15T10:00:00+02:00', null, '2026-01-15T08:00:00.000Z'],
    ['created-at:<=2026-01-15', null, '2026-01-16T00:00:00.000Z'],
  ])('reads %s by the clock', (query, low, high) => {
    expect(one(query)).toEqual([{ by: 'interval', column: 'authored_at', interval: { low, high } }]);
  });

  it.each([
    '',
    'name',
    'name:',
    ':x',
    'colour:red',
    '!!name:a',
    'verified:perhaps',
    'created-at:yesterday',
    'constructor:x',
  ])('refuses %j', (query) => {
    expect(parseQueries([query])).toMatchObject({ faults: [{ pointer: '?query' }] });
  });

  it('tells every fault', () => {
    expect(parseQueries(['a', 'name:x', 'b:c'])).toMatchObject({ faults: [{}, {}] });
  });
});

import fc from 'fast-check';
import { compare } from 'semver';
import { versionKey } from './version-key';

const sorted = (versions: readonly string[]) =>
  versions.toSorted((one, other) => Buffer.compare(Buffer.from(versionKey(one)), Buffer.from(versionKey(other))));

describe('versionKey', () => {
  it('orders as semver does, with what is no semver below', () => {
    const versions = ['2026.11', 'v0.1.0', '1.0.0+build.7', '1.9.0', '1.10.0', '2.0.0-rc.1', '2.0.0'];
    expect(sorted(versions.toReversed())).toEqual(versions);
  });

  it('orders pre-releases as semver.org does', () => {
    const versions = ['alpha', 'alpha.1', 'alpha.beta', 'beta', 'beta.2', 'beta.11', 'rc.1'].map(
      (pre) => `1.0.0-${pre}`,
    );
    expect(sorted(versions.toReversed())).toEqual(versions);
  });

  it('takes no notice of a v, nor of build metadata', () => {
    expect(versionKey('v1.2.3+a')).toBe(versionKey('1.2.3+b'));
  });

  it('orders any two versions as the library does', () => {
    const number = fc.oneof(fc.nat(12), fc.nat());
    const part = fc.oneof(number.map(String), fc.stringMatching(/^[a-zA-Z-][0-9a-zA-Z-]{0,3}$/));
    const version = fc
      .tuple(number, number, number, fc.array(part, { maxLength: 3 }))
      .map(([a, b, c, pre]) => `${a}.${b}.${c}${pre.length > 0 ? `-${pre.join('.')}` : ''}`);
    fc.assert(
      fc.property(version, version, (one, other) => {
        const keys = Buffer.compare(Buffer.from(versionKey(one)), Buffer.from(versionKey(other)));
        expect(Math.sign(keys)).toBe(compare(one, other));
      }),
    );
  });
});

import { createHash, randomBytes } from 'node:crypto';
import { Secrets, Unopenable } from './secrets';

const owner = { id: '01890000-0000-7000-8000-000000000001', tenant_id: 'acme' };
const secrets = { token: 'hunter2', client_secret: 'Ω≈ç√∫' };
const [older, newer] = [randomBytes(32), randomBytes(32)];

test('opens what it sealed, and tells nothing of it', () => {
  const sealed = new Secrets([older]).seal(secrets, owner);
  expect(new Secrets([older]).open(sealed, owner)).toEqual(secrets);
  expect(sealed).not.toContain('hunter2');
  expect(Buffer.from(sealed.split('.')[1]!, 'base64').toString('latin1')).not.toContain('token');
});

test('seals the same secrets differently each time', () => {
  const box = new Secrets([older]);
  expect(box.seal(secrets, owner)).not.toBe(box.seal(secrets, owner));
});

test('refuses secrets without a key, and says which setting is missing', () => {
  expect(() => new Secrets([]).seal(secrets, owner)).toThrow(/RECONCILER_SECRETS_KEY/);
});

test('still opens what an older key sealed, and says that it is outdated', () => {
  const sealed = new Secrets([older]).seal(secrets, owner);
  const rotated = new Secrets([newer, older]);
  expect(rotated.open(sealed, owner)).toEqual(secrets);
  expect(rotated.isOutdated(sealed)).toBe(true);
  expect(rotated.isOutdated(rotated.seal(secrets, owner))).toBe(false);
});

test.each([
  ['another resource', { ...owner, id: '01890000-0000-7000-8000-000000000002' }],
  ['another tenant', { ...owner, tenant_id: 'globex' }],
])('opens nothing for %s', (_who, other) => {
  const sealed = new Secrets([older]).seal(secrets, owner);
  expect(() => new Secrets([older]).open(sealed, other)).toThrow(Unopenable);
});

test('marks a text by each key, and nobody without one can tell what was marked', () => {
  const [plain] = new Secrets([]).marksOf('swordfish');
  const [first, ...others] = new Secrets([older]).marksOf('swordfish');
  expect([plain, others]).toEqual([createHash('sha256').update('swordfish').digest('base64url'), []]);
  expect(first).not.toBe(plain);
  expect(new Secrets([newer, older]).marksOf('swordfish')).toEqual([
    new Secrets([newer]).marksOf('swordfish')[0],
    first,
  ]);
});

test('opens nothing that was changed, cut short, or sealed by a key that is gone', () => {
  const sealed = new Secrets([older]).seal(secrets, owner);
  const flipped = sealed
    .replace(/.(.{4})$/, (_all, rest: string) => `A${rest}`)
    .replace(/\.(.)/, (_all, one) => `.${one === 'A' ? 'B' : 'A'}`);
  for (const bad of [flipped, sealed.slice(0, 20), sealed.slice(0, 9), '']) {
    expect(() => new Secrets([older]).open(bad, owner)).toThrow(Unopenable);
  }
  expect(() => new Secrets([newer]).open(sealed, owner)).toThrow(/not among RECONCILER_SECRETS_KEY/);
});

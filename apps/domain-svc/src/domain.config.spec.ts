import { readSettings } from '@homeostat/platform';
import { domainSettings } from './domain.config';

const hour = 3_600_000;

test('has the defaults of the specification', () => {
  expect(readSettings(domainSettings)).toEqual({
    RECONCILER_DNS_SERVERS: null,
    RECONCILER_DNS_TIMEOUT: 5_000,
    RECONCILER_DOMAIN_LABEL: 'zeitwork',
    RECONCILER_DOMAIN_WINDOW: 48 * hour,
    RECONCILER_DOMAIN_CHECK_INTERVAL: 5_000,
    RECONCILER_DOMAIN_MAX_CHECK_INTERVAL: 600_000,
    RECONCILER_DOMAIN_RECHECK: 24 * hour,
    RECONCILER_DOMAIN_LAPSE_GRACE: 72 * hour,
    RECONCILER_NAME_ENABLED: true,
    RECONCILER_NAME_INTERVAL: hour,
    RECONCILER_NAME_TTL: 168 * hour,
    RECONCILER_NAME_GRACE: 72 * hour,
    RECONCILER_NAME_RECORD_TIMEOUT: 30_000,
    RECONCILER_NAME_ALLOW_HTTP: false,
    RECONCILER_NAME_CA_FILE: null,
    RECONCILER_ALLOW_PRIVATE_ADDRESSES: false,
  });
});

test.each([
  ['192.0.2.53', ['192.0.2.53']],
  ['192.0.2.53:5353, 2001:db8::53', ['192.0.2.53:5353', '2001:db8::53']],
  ['[2001:db8::53]:5353', ['[2001:db8::53]:5353']],
])('the servers %s can be asked', (text, servers) => {
  expect(readSettings(domainSettings, { RECONCILER_DNS_SERVERS: text })).toMatchObject({
    RECONCILER_DNS_SERVERS: servers,
  });
});

test.each([
  ['RECONCILER_DNS_SERVERS', 'ns.example.com'],
  ['RECONCILER_DNS_SERVERS', '192.0.2.53,'],
  ['RECONCILER_DNS_SERVERS', '192.0.2.53:0'],
  ['RECONCILER_DNS_SERVERS', '192.0.2.53:65536'],
  ['RECONCILER_DNS_SERVERS', '[192.0.2.53]:53'],
  ['RECONCILER_DNS_SERVERS', '[2001:db8::53'],
  ['RECONCILER_DNS_TIMEOUT', '0s'],
  ['RECONCILER_DOMAIN_LABEL', 'Zeitwork'],
  ['RECONCILER_DOMAIN_LABEL', 'zeitwork-'],
  ['RECONCILER_DOMAIN_LABEL', 'a.b'],
  ['RECONCILER_DOMAIN_LABEL', 'a'.repeat(41)],
  ['RECONCILER_DOMAIN_WINDOW', '-48h'],
  ['RECONCILER_DOMAIN_RECHECK', 'daily'],
  ['RECONCILER_NAME_TTL', '0s'],
  ['RECONCILER_NAME_ALLOW_HTTP', 'yes'],
  ['RECONCILER_NAME_CA_FILE', '/nowhere/ca.pem'],
])('%s does not take "%s"', (variable, text) => {
  expect(() => readSettings(domainSettings, { [variable]: text })).toThrow(variable);
});

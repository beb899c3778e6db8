import { readSettings } from '@homeostat/platform';
import { connectorSettings } from './connector.config';

const key = Buffer.alloc(32, 7).toString('base64');
const other = Buffer.alloc(32, 8).toString('base64');

test('has the defaults of the specification', () => {
  expect(readSettings(connectorSettings)).toEqual({
    RECONCILER_SECRETS_KEY: [],
    RECONCILER_FILE_ROOTS: [],
    RECONCILER_ALLOW_PRIVATE_ADDRESSES: false,
    RECONCILER_CONNECTOR_MIN_INTERVAL: 10_000,
    RECONCILER_JOBS_AT_ONCE: 4,
    RECONCILER_JOB_SLICE: 5_000,
    RECONCILER_JOB_ATTEMPTS: 8,
    RECONCILER_JOB_TIMEOUT: 86_400_000,
    RECONCILER_JOB_RETENTION: 86_400_000,
  });
});

test.each([
  ['RECONCILER_SECRETS_KEY', `${key}, ${other}`, [Buffer.alloc(32, 7), Buffer.alloc(32, 8)]],
  ['RECONCILER_FILE_ROOTS', '/srv/lake, /lake=/mnt/lake', ['/srv/lake', '/lake=/mnt/lake']],
  ['RECONCILER_ALLOW_PRIVATE_ADDRESSES', 'true', true],
])('%s takes "%s"', (variable, text, value) => {
  expect(readSettings(connectorSettings, { [variable]: text })).toMatchObject({ [variable]: value });
});

test.each([
  ['RECONCILER_SECRETS_KEY', 'a password'],
  ['RECONCILER_SECRETS_KEY', `${key},`],
  ['RECONCILER_FILE_ROOTS', 'lake'],
  ['RECONCILER_FILE_ROOTS', '/lake=lake'],
  ['RECONCILER_JOB_ATTEMPTS', '0'],
  ['RECONCILER_JOB_SLICE', '-1s'],
  ['RECONCILER_CONNECTOR_MIN_INTERVAL', 'often'],
])('%s does not take "%s"', (variable, text) => {
  expect(() => readSettings(connectorSettings, { [variable]: text })).toThrow(variable);
});

test('a key that cannot be used is not repeated', () => {
  expect(() => readSettings(connectorSettings, { RECONCILER_SECRETS_KEY: 'hunter2' })).toThrow(/^((?!hunter2)[^])*$/);
});

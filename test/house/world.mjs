import { randomBytes } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
/** Longer than the clock of a process is ever wrong. */
const EXPIRES_S = 6 * 3_600;

/**
 * What is around a fleet under test: a name server, on loopback or on the address that the fleet can reach, tokens, and
 * settings by which its life goes by in seconds.
 */
export async function openWorld(host) {
  const { startDnsServer } = require('../../libs/testing/dist/dns-server.js');
  const { issueToken } = require('../../libs/platform/dist/http/tokens.js');
  const secret = randomBytes(32).toString('base64url');
  const dns = await startDnsServer(host);
  return {
    dns,
    token: (tenant, scopes) => issueToken(secret, { subject: 'test', tenant, scopes, expiresInSeconds: EXPIRES_S }),
    settings: {
      RECONCILER_AUTH_SECRET: secret,
      RECONCILER_DNS_SERVERS: dns.address,
      RECONCILER_DNS_TIMEOUT: '500ms',
      RECONCILER_DOMAIN_WINDOW: '8s',
      RECONCILER_DOMAIN_CHECK_INTERVAL: '500ms',
      RECONCILER_DOMAIN_MAX_CHECK_INTERVAL: '2s',
      RECONCILER_DOMAIN_RECHECK: '2s',
      RECONCILER_DOMAIN_LAPSE_GRACE: '3s',
      RECONCILER_VM_POOL_SIZE: '8',
      RECONCILER_VM_QUARANTINE: '2s',
      RECONCILER_DEPLOYMENT_GRACE_PERIOD: '2s',
      RECONCILER_BUILD_TIMEOUT: '4s',
      RECONCILER_BUILD_QUEUE_TIMEOUT: '20s',
    },
  };
}

import {
  type Scope,
  SettingsError,
  durationMs,
  httpSettings,
  issueToken,
  readSettings,
  scopes,
} from '@homeostat/platform';

/** What the command line asks a token to say. */
export interface TokenWish {
  readonly subject: string;
  readonly tenant: string;
  readonly scope: readonly string[];
  /** A Go-style duration. */
  readonly expires: string;
}

/** Signs a token with RECONCILER_AUTH_SECRET. Throws SettingsError or an error that names the faulty option. */
export async function tokenOf({ subject, tenant, scope, expires }: TokenWish): Promise<string> {
  const {
    RECONCILER_AUTH_SECRET: secret,
    RECONCILER_AUTH_ISSUER: issuer,
    RECONCILER_AUTH_AUDIENCE: audience,
  } = readSettings(httpSettings);
  if (!secret) throw new SettingsError(['RECONCILER_AUTH_SECRET is missing: tokens are signed with it']);
  const unknown = scope.filter((one) => !(scopes as readonly string[]).includes(one));
  if (unknown.length > 0) throw new Error(`--scope ${unknown.join(' ')}: known scopes are ${scopes.join(', ')}`);
  const ms = durationMs(expires);
  if (ms === null || ms < 1_000) throw new Error(`--expires ${expires}: write a duration of at least 1s, such as 24h`);
  const expiresInSeconds = Math.floor(ms / 1_000);
  return issueToken(secret, { subject, tenant, scopes: scope as Scope[], expiresInSeconds, issuer, audience });
}

import { type GlueClient } from '@aws-sdk/client-glue';
import { type S3Client } from '@aws-sdk/client-s3';
import { isPublic } from '@homeostat/platform';
import { lookup } from 'node:dns';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { ConnectorFault, type FaultCode } from '../connector/fault';
import { sourceRequests } from './metrics';

/** Keys of an AWS account: the connector's own or lent to it, never those that the process itself may have. */
export interface AwsKeys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string;
}

export interface AwsSettings {
  readonly region: string;
  readonly endpoint?: string;
  /** Not optional: without keys the SDK would look for those of the process (environment, profile, role of the machine). */
  readonly keys: AwsKeys;
  /** Whether the endpoint may be an address that is not of the public internet. */
  readonly allowPrivate: boolean;
}

const connectMs = 5_000;
const answerMs = 30_000;

/** What every client of the AWS SDK is given: three attempts, and a bound on every wait. */
export function awsClientSettings({ region, endpoint, keys, allowPrivate }: AwsSettings) {
  const agentSettings = { keepAlive: true, maxSockets: 50, ...(allowPrivate ? {} : { lookup: lookupPublic }) };
  if (!allowPrivate) refuseLiteral(endpoint);
  return {
    region,
    endpoint,
    credentials: keys,
    maxAttempts: 3,
    requestHandler: {
      ...{
        connectionTimeout: connectMs,
        requestTimeout: answerMs,
        socketTimeout: answerMs,
        throwOnRequestTimeout: true,
      },
      httpAgent: new HttpAgent(agentSettings),
      httpsAgent: new HttpsAgent(agentSettings),
    },
  };
}

/** Addresses need no look-up, so they are judged here; names are judged when they are connected to. */
function refuseLiteral(endpoint: string | undefined): void {
  const host = endpoint === undefined ? '' : new URL(endpoint).hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0 && !isPublic(host)) throw new ConnectorFault('invalid_config', `${host} is no public address`);
}

const lookupPublic: LookupFunction = (hostname, options, found) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    const allowed = (addresses ?? []).filter(({ address }) => isPublic(address));
    const refusal = error ?? (allowed.length === 0 ? new Error(`${hostname} has no public address`) : null);
    if (refusal || options.all) found(refusal, allowed);
    else found(null, allowed[0]!.address, allowed[0]!.family);
  });
};

/** Lets every request of a client be counted, those that the SDK repeats too; returns the client. */
export function counted<C extends S3Client | GlueClient>(client: C, to: 's3' | 'glue'): C {
  const { middlewareStack } = client as S3Client;
  // Of this priority it comes after the one that repeats.
  middlewareStack.add(
    (next) => (request) => {
      sourceRequests.inc({ to });
      return next(request);
    },
    { step: 'finalizeRequest', priority: 'low' },
  );
  return client;
}

const byName: Readonly<Record<string, FaultCode>> = {
  NoSuchKey: 'not_found',
  NoSuchBucket: 'not_found',
  NotFound: 'not_found',
  EntityNotFoundException: 'not_found',
  AccessDenied: 'forbidden',
  AccessDeniedException: 'forbidden',
  InvalidAccessKeyId: 'unauthenticated',
  SignatureDoesNotMatch: 'unauthenticated',
  InvalidSignatureException: 'unauthenticated',
  UnrecognizedClientException: 'unauthenticated',
  CredentialsProviderError: 'unauthenticated',
  // Keys that were lent for a time come anew with the next attempt.
  ExpiredToken: 'not_ready',
  ExpiredTokenException: 'not_ready',
  SlowDown: 'throttled',
  ThrottlingException: 'throttled',
  TimeoutError: 'timeout',
};

/** The fault of an AWS call on `subject`; faults, and the reason of an abort, come back as they are. Only the error's name is told. */
export function awsFault(error: unknown, subject: string, signal?: AbortSignal): unknown {
  if (error instanceof ConnectorFault) return error;
  if (signal?.aborted) return signal.reason;
  const { name, $metadata } = error as { name: string; $metadata?: { httpStatusCode?: number } };
  const status = $metadata?.httpStatusCode;
  const code = byName[name] ?? byStatus(status);
  return new ConnectorFault(code, `${subject}: ${name}${status === undefined ? '' : ` (${status})`}`);
}

/** The fault code of an HTTP status; without one nobody answered. */
export function byStatus(status: number | undefined): FaultCode {
  if (status === undefined) return 'unreachable';
  if (status === 401) return 'unauthenticated';
  if (status === 403) return 'forbidden';
  if (status === 404) return 'not_found';
  if (status === 419) return 'not_ready';
  if (status === 429) return 'throttled';
  if (status === 408) return 'timeout';
  return status >= 500 ? 'server_error' : 'invalid_answer';
}

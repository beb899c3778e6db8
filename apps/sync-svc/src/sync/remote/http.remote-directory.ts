import { hostname } from 'node:os';
import { NotPublic, SETTINGS, publicAgent } from '@homeostat/platform';
import { Inject, Injectable, type OnApplicationShutdown } from '@nestjs/common';
import { type Agent, request } from 'undici';
import { BUSY_MS, busyFor, retryAfter } from '../../registry/registry.http';
import type { SyncSettings } from '../../sync.config';
import { SyncFault } from '../sync.fault';
import { type RegistryCredentials, type RemoteDirectory, registryCredentials } from './remote-directory.port';

const ANSWER_LIMIT = 64 * 1024;
const DEADLINE_MS = 20_000;

/** Asks a directory by HTTP: `POST /v1/registry-credentials`, which every node of ours answers. Redirects are not followed. */
@Injectable()
export class HttpRemoteDirectory implements RemoteDirectory, OnApplicationShutdown {
  private readonly agent: Agent;

  constructor(@Inject(SETTINGS) settings: SyncSettings) {
    this.agent = publicAgent({ allowPrivate: settings.RECONCILER_ALLOW_PRIVATE_ADDRESSES });
  }

  async onApplicationShutdown(): Promise<void> {
    await this.agent.destroy();
  }

  async credentials(url: string, token: string | null, signal: AbortSignal): Promise<RegistryCredentials> {
    const place = `${url.replace(/\/+$/, '')}/v1/registry-credentials`;
    const { status, text, again } = await this.ask(place, token, signal);
    if (status === 200) return parsed(place, text);
    const final = status >= 300 && status < 500 && status !== 408 && status !== 429;
    const until = status === 429 ? (again ?? busyFor(BUSY_MS)) : status === 503 ? again : null;
    throw new SyncFault('DirectoryRefused', `${place} answered ${status}${hint(status, token)}`, final, until);
  }

  private async ask(place: string, token: string | null, gone: AbortSignal): Promise<Told> {
    const signal = AbortSignal.any([gone, AbortSignal.timeout(DEADLINE_MS)]);
    const headers = {
      ...{ accept: 'application/json', 'content-type': 'application/json', 'user-agent': 'homeostat' },
      ...(token !== null && { authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify({ requesting_node_id: hostname() });
    try {
      const answer = await request(place, { method: 'POST', dispatcher: this.agent, headers, body, signal });
      const again = retryAfter([answer.headers['retry-after'] ?? null].flat()[0] ?? null);
      if (answer.statusCode === 200) return { status: 200, text: await textOf(answer.body), again };
      await answer.body.dump({ limit: ANSWER_LIMIT, signal }).catch(() => undefined);
      return { status: answer.statusCode, text: '', again };
    } catch (error) {
      gone.throwIfAborted();
      if (error instanceof NotPublic || error instanceof SyncFault) throw error;
      throw new SyncFault('DirectoryUnreachable', `${place}: ${(error as Error).message}`, false);
    }
  }
}

/** What a directory said; the words of a refusal are nobody's matter. */
interface Told {
  readonly status: number;
  readonly text: string;
  /** When it wants to be asked again. */
  readonly again: Date | null;
}

function hint(status: number, token: string | null): string {
  if (status !== 401 && status !== 403) return '';
  return token === null ? ': it asks for a token, and none was given with the sync' : ': it does not take the token';
}

async function textOf(body: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > ANSWER_LIMIT)
      throw new SyncFault('DirectoryAnswer', `it answered more than ${ANSWER_LIMIT} bytes`, true);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

/** Nothing of an answer is repeated: it may hold a password. */
function parsed(place: string, text: string): RegistryCredentials {
  try {
    const result = registryCredentials.safeParse(JSON.parse(text));
    if (result.success) return result.data;
    const faults = result.error.issues.map(({ path, message }) => `${path.join('.') || 'it'}: ${message}`);
    throw new SyncFault('DirectoryAnswer', `${place} answered what cannot be used: ${faults.join('; ')}`, true);
  } catch (error) {
    if (error instanceof SyncFault) throw error;
    throw new SyncFault('DirectoryAnswer', `${place} answered something else than JSON`, true);
  }
}

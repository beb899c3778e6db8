import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type Server, createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import tls from 'node:tls';
import { selfSigned } from '@homeostat/testing';
import { RegistryClient } from './registry.client';

const { signal } = new AbortController();
const folder = mkdtempSync(join(tmpdir(), 'homeostat-registry-tls-'));
const certificate = join(folder, 'certificate.pem');
let server: Server;

beforeAll(async () => {
  const { key, certificate: cert } = await selfSigned('127.0.0.1');
  writeFileSync(certificate, cert);
  server = createServer({ key, cert }, (_request, response) => {
    response.end('{"tags":["one"]}');
  });
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
});
afterAll(async () => {
  server.closeAllConnections();
  await new Promise((closed) => server.close(closed));
  rmSync(folder, { recursive: true });
});

function clientOf(more: { caFile?: string; insecure?: boolean }): RegistryClient {
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const place = { address, repository: 'dir', credentials: null, allowPrivate: false };
  return new RegistryClient({ ...place, insecure: false, caFile: null, ...more });
}

async function tags(client: RegistryClient): Promise<unknown> {
  return client.tags(null, signal).finally(() => client.close());
}

describe('a registry whose certificate a private CA has signed', () => {
  it('is asked where the CA is known', async () => {
    expect(await tags(clientOf({ caFile: certificate }))).toEqual({ tags: ['one'], next: null });
  });

  it('is asked by many connections, and the certificates are read once', async () => {
    const read = jest.spyOn(tls, 'createSecureContext');
    let connections = 0;
    server.on('secureConnection', () => (connections += 1));
    const client = clientOf({ caFile: certificate });
    await Promise.all([1, 2, 3, 4].map(() => client.tags(null, signal)));
    await client.close();
    expect(connections).toBeGreaterThan(1);
    expect(read).toHaveBeenCalledTimes(1);
    read.mockRestore();
  });

  it('is not where it is unknown', async () => {
    await expect(tags(clientOf({}))).rejects.toThrow(/certificate/);
  });

  it('is not asked in plain http but by the setting', async () => {
    await expect(tags(clientOf({ insecure: true }))).rejects.toThrow(/http:/);
  });
});

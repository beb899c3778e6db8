import { z } from 'zod';
import { syncSettings } from './sync.config';

const read = (given: Record<string, string>) => z.object(syncSettings).safeParse(given);

describe('the settings of sync-svc', () => {
  it('know no registry by themselves', () => {
    expect(read({}).data).toMatchObject({
      RECONCILER_LOCAL_REGISTRY_ADDRESS: null,
      RECONCILER_LOCAL_REGISTRY_REPOSITORY: 'dir',
      RECONCILER_LOCAL_REGISTRY_INSECURE: false,
      RECONCILER_ALLOW_PRIVATE_ADDRESSES: false,
      RECONCILER_INDEXER_INTERVAL: 3_600_000,
    });
  });

  it.each(['127.0.0.1:5000', 'registry.example.com', 'localhost:443', '[::1]:5000', 'zot'])('take %s', (address) => {
    expect(read({ RECONCILER_LOCAL_REGISTRY_ADDRESS: address }).success).toBe(true);
  });

  it.each([
    ...[
      'http://127.0.0.1:5000',
      'a/b',
      'user:secret@host',
      'host:',
      'host:port',
      'a b',
      'host\n',
      '{{env "HOME"}}',
      '-a',
    ],
    ...['host?x', 'host#x', '.host'],
  ])('do not take %j for an address', (address) => {
    expect(read({ RECONCILER_LOCAL_REGISTRY_ADDRESS: address }).success).toBe(false);
  });

  it.each(['Dir', '/dir', 'dir/', 'a//b', '../dir', 'dir?x'])('do not take %j for a repository', (repository) => {
    expect(read({ RECONCILER_LOCAL_REGISTRY_REPOSITORY: repository }).success).toBe(false);
  });

  it('name a file of certificates that cannot be read, and a schema server without a scheme', () => {
    const given = { RECONCILER_LOCAL_REGISTRY_CA_FILE: '/no/such/file', RECONCILER_SCHEMA_URL: 'schema.example.com' };
    expect(read(given).error?.issues.map(({ path }) => path[0])).toEqual(Object.keys(given));
  });
});

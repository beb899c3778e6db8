import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { request } from 'undici';
import { isPublic, publicAgent } from './public-agent';

describe('isPublic', () => {
  test.each(['192.0.33.8', '2606:4700::1111'])('%s is', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  test.each([
    ...['127.0.0.1', '10.1.2.3', '172.16.0.1', '192.168.1.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '224.0.0.1'],
    ...['255.255.255.255', '::', '::1', 'fe80::1', 'fd00::1', '::ffff:127.0.0.1', '::ffff:a9fe:a9fe', '64:ff9b::a00:1'],
    ...['2002:a00:1::', 'localhost', ''],
  ])('%s is not', (address) => {
    expect(isPublic(address)).toBe(false);
  });
});

describe('publicAgent', () => {
  const server = createServer((_request, response) => response.end('reached'));
  let port: number;

  beforeAll(async () => {
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    ({ port } = server.address() as AddressInfo);
  });
  afterAll(() => server.close());

  test.each(['127.0.0.1', 'localhost', '[::ffff:127.0.0.1]', '0x7f.1', '2130706433'])(
    'does not connect to %s',
    async (host) => {
      const dispatcher = publicAgent({ allowPrivate: false });
      await expect(request(`http://${host}:${port}/`, { dispatcher })).rejects.toMatchObject({ name: 'NotPublic' });
      await dispatcher.close();
    },
  );

  it('connects anywhere in development', async () => {
    const dispatcher = publicAgent({ allowPrivate: true });
    const { body } = await request(`http://127.0.0.1:${port}/`, { dispatcher });
    expect(await body.text()).toBe('reached');
    await dispatcher.close();
  });
});

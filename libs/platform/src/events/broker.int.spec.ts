import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Server, createServer } from 'node:tls';
import { type TestBroker, hasBroker, selfSigned, testBroker } from '@homeostat/testing';
import { dial, hangUp } from './broker';

jest.setTimeout(120_000);

let broker: TestBroker;
let directory: string;
let server: Server;
let url: URL;

(hasBroker() ? describe : describe.skip)('the way to a broker', () => {
  beforeAll(async () => {
    broker = await testBroker();
    directory = await mkdtemp(join(tmpdir(), 'homeostat-tls-'));
    const { key, certificate: cert } = await selfSigned('127.0.0.1');
    await writeFile(join(directory, 'cert.pem'), cert);
    url = new URL(broker.url);
    const { port } = url;
    server = createServer({ key, cert }, (near) => {
      const far = connect(Number(port), '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) socket.on('error', () => socket.destroy());
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
    url = new URL(url.href.replace('amqp:', 'amqps:'));
    url.port = String((server.address() as AddressInfo).port);
  });

  afterAll(async () => {
    server.close();
    await rm(directory, { recursive: true });
    await broker.close();
  });

  it('goes over TLS to one whose certificate is signed as the settings say', async () => {
    const model = await dial({ urls: [url.href], caFile: join(directory, 'cert.pem') }, 0, 'test');
    await hangUp(model);
  });

  it('refuses one whose certificate nobody vouches for, or whose CA file is not there', async () => {
    await expect(dial({ urls: [url.href], caFile: null }, 0, 'test')).rejects.toThrow(/^127\.0\.0\.1:\d+: self-signed/);
    const missing = join(directory, 'missing.pem');
    await expect(dial({ urls: [url.href], caFile: missing }, 0, 'test')).rejects.toThrow(/ENOENT.+missing\.pem/);
  });

  it('says who was refused where, without a password', async () => {
    const stranger = new URL(broker.url);
    [stranger.username, stranger.password] = ['stranger', 'secret'];
    const refused = dial({ urls: [stranger.href], caFile: null }, 0, 'test');
    await expect(refused).rejects.toThrow(/^127\.0\.0\.1:\d+: .*ACCESS.REFUSED/);
    await expect(refused).rejects.not.toThrow(/secret/);
  });
});

import { type Socket, connect } from 'node:net';
import { Controller, Get, Module, Req } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { Request } from 'express';
import { BoundedAdapter, patience } from './bounded.adapter';
import { readJson } from './body';

@Controller()
class EchoController {
  @Get('/echo')
  echo(@Req() request: Request) {
    return readJson(request);
  }
}

@Module({ controllers: [EchoController] })
class EchoModule {}

const brief = { ...patience, headersTimeout: 150, requestTimeout: 300, connectionsCheckingInterval: 10 };
let app: NestExpressApplication;
const sockets: Socket[] = [];

async function listening(connections: number, limits = brief): Promise<number> {
  const adapter = new BoundedAdapter(connections, limits);
  app = await NestFactory.create<NestExpressApplication>(EchoModule, adapter, { logger: false, bodyParser: false });
  await app.listen(0, '127.0.0.1');
  return Number(new URL(await app.getUrl()).port);
}

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await app.close();
});

/** Opens a connection and writes what it is given; `said` resolves to all that came back once the server has closed it. */
function client(port: number, ...parts: string[]) {
  const socket = connect(port, '127.0.0.1');
  sockets.push(socket);
  let text = '';
  socket.on('data', (part) => (text += String(part))).on('error', () => undefined);
  for (const part of parts) socket.write(part);
  const said = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  return { socket, said, first: () => until(socket, () => text !== '').then(() => text) };
}

async function until(socket: Socket, met: () => boolean): Promise<void> {
  while (!met()) await new Promise((resolve) => socket.once('data', resolve));
}

/** Goes on with one byte at a time for as long as the server lets it. */
function drip(socket: Socket, byte: string): void {
  const timer = setInterval(() => void (socket.destroyed ? clearInterval(timer) : socket.write(byte)), 20);
  socket.once('close', () => clearInterval(timer));
}

const head = 'GET /echo HTTP/1.1\r\nHost: localhost\r\n';

it('closes a connection whose headers come a byte at a time', async () => {
  const { socket, said } = client(await listening(10), head, 'X-Slow: ');
  drip(socket, 'a');
  expect(await said).toMatch(/^HTTP\/1\.1 408 /);
});

it('closes a connection on which nothing comes', async () => {
  const { said } = client(await listening(10));
  expect(await said).toMatch(/^HTTP\/1\.1 408 /);
});

it('closes a connection whose body comes a byte at a time', async () => {
  const { socket, said } = client(
    await listening(10),
    head,
    'Content-Type: application/json\r\nContent-Length: 9999\r\n\r\n',
  );
  drip(socket, ' ');
  expect(await said).toMatch(/^HTTP\/1\.1 408 [^]*"code":"request_timeout"/);
});

it('refuses headers that are larger than 16 KiB', async () => {
  const { said } = client(await listening(10), head, `X-Large: ${'a'.repeat(17_000)}\r\n\r\n`);
  expect(await said).toMatch(/^HTTP\/1\.1 431 [^]*application\/problem\+json[^]*"code":"headers_too_large"/);
});

it('does not keep the connection of a client that was refused and does not leave', async () => {
  const port = await listening(10);
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  sockets.push(socket.on('error', () => undefined));
  socket.write('nonsense\r\n\r\n');
  await new Promise((resolve) => socket.once('end', resolve).resume());
  const count = () =>
    new Promise<number>((resolve) => app.getHttpServer().getConnections((_: unknown, open: number) => resolve(open)));
  while ((await count()) > 0) await new Promise((resolve) => setTimeout(resolve, 20));
});

it.each([
  ['two lengths', 'Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}'],
  ['a length and chunks', 'Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['a coding after the chunks', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
  ['a header that is folded', 'X-Folded: a\r\n b\r\nContent-Length : 2\r\n\r\n{}'],
])('refuses a request with %s, which a proxy might end elsewhere', async (_what, rest) => {
  const { said } = client(await listening(10), head, rest);
  expect(await said).toMatch(/^HTTP\/1\.1 400 /);
});

it('holds so many connections only, and has room again when one leaves', async () => {
  const port = await listening(2);
  const [one, other] = [client(port, head, '\r\n'), client(port, head, '\r\n')];
  expect(await Promise.all([one.first(), other.first()])).toEqual([
    expect.stringMatching(/^HTTP\/1\.1 200 /),
    expect.stringMatching(/^HTTP\/1\.1 200 /),
  ]);
  expect(await client(port, head, '\r\n').said).toBe('');
  one.socket.destroy();
  let answer = '';
  while (answer === '') answer = await Promise.race([client(port, head, 'Connection: close\r\n\r\n').said]);
  expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

it('is patient by default, but for seconds only', async () => {
  await listening(10, patience);
  expect(app.getHttpServer()).toMatchObject({ headersTimeout: 10_000, requestTimeout: 30_000, timeout: 330_000 });
});

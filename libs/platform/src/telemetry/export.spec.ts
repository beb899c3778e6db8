import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { trace } from '@opentelemetry/api';
import { makeLog } from '../logs';
import { begin } from './spans';
import { startTracing } from './tracing';
import { contextIn } from './traceparent';

type Line = Record<string, unknown>;

let lines: Line[] = [];
const log = makeLog('info', { write: (line) => void lines.push(JSON.parse(line) as Line) });
const before = { ...process.env };

beforeEach(() => (lines = []));
afterEach(() => {
  process.env = { ...before };
});

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

function started(endpoint: string): ReturnType<typeof startTracing> {
  Object.assign(process.env, { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_RESOURCE_ATTRIBUTES: 'team=blue' });
  const settings = {
    OTEL_EXPORTER_OTLP_ENDPOINT: endpoint,
    OTEL_TRACES_EXPORTER: 'otlp',
    OTEL_SDK_DISABLED: 'false',
  } as const;
  return startTracing(settings, 'deploy-svc', log);
}

test('spans go to the collector, with the name of the service, when the process stops at the latest', async () => {
  const bodies: string[] = [];
  const collector = createServer((request, response) => {
    request.setEncoding('utf8').on('data', (text: string) => bodies.push(text));
    request.on('end', () => response.end('{}'));
  });
  const stop = await started(await listening(collector));
  begin('look deployments', {}, contextIn(null)).end();
  await stop();
  await new Promise((done) => collector.close(done));
  const sent = bodies.join('');
  expect(sent).toContain('"name":"look deployments"');
  expect(sent).toContain('{"key":"service.name","value":{"stringValue":"deploy-svc"}}');
  expect(sent).toContain('{"key":"team","value":{"stringValue":"blue"}}');
});

test('a collector that never answers does not keep a process from stopping', async () => {
  process.env.OTEL_EXPORTER_OTLP_TIMEOUT = '1000';
  const silent = createServer();
  const asked = once(silent, 'request');
  const stop = await started(await listening(silent));
  begin('look deployments', {}, contextIn(null)).end();
  const stopped = stop();
  await asked;
  await stopped;
  silent.closeAllConnections();
  await new Promise((done) => silent.close(done));
});

test('a collector that refuses is worth one line, and no more', async () => {
  const refusing = createServer((_request, response) => response.writeHead(400).end());
  process.env.OTEL_BSP_SCHEDULE_DELAY = '20';
  const stop = await started(await listening(refusing));
  for (let count = 0; count < 3; count += 1) {
    begin('look deployments', {}, contextIn(null)).end();
    await once(refusing, 'request');
  }
  await stop();
  await new Promise((done) => refusing.close(done));
  expect(lines).toEqual([
    expect.objectContaining({ level: 'WARN', msg: expect.stringMatching(/^traces cannot be exported/) }),
  ]);
});

test('without an endpoint nothing is recorded, and there are ids all the same', async () => {
  const settings = { OTEL_TRACES_EXPORTER: 'otlp', OTEL_SDK_DISABLED: 'false' } as const;
  const stop = await startTracing(
    { ...settings, OTEL_EXPORTER_OTLP_ENDPOINT: undefined, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: undefined },
    'deploy-svc',
    log,
  );
  const span = begin('look deployments', {}, contextIn(null));
  expect(span.isRecording()).toBe(false);
  expect(trace.isSpanContextValid(span.spanContext())).toBe(true);
  await stop();
});

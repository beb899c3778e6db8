import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { context } from '@opentelemetry/api';
import express, { type RequestHandler } from 'express';
import { makeLog } from '../logs';
import { passing } from './context';
import { witnessRequests } from './requests';

type Line = Record<string, unknown>;

const caller = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
const [, callerTrace] = caller.split('-');
let lines: Line[] = [];
const log = makeLog('debug', { write: (line) => void lines.push(JSON.parse(line) as Line) });

beforeAll(() => context.setGlobalContextManager(passing));
beforeEach(() => (lines = []));

/** What a server with that handler answers to one request, after its line was written. */
async function asked(handler: RequestHandler, path: string, init: RequestInit = {}): Promise<Response> {
  const server = express().use(witnessRequests(log)).all('/v1/things/:id', handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, init);
  await answer.text();
  await new Promise((done) => server.close(done));
  return answer;
}

test('a request goes on with the trace of its caller, and its lines say so', async () => {
  const handler: RequestHandler = async (_request, response) => {
    await new Promise(setImmediate);
    log.info('inside');
    response.sendStatus(201);
  };
  const answer = await asked(handler, '/v1/things/a', { method: 'POST', headers: { traceparent: caller } });
  expect(answer.headers.get('traceresponse')).toContain(callerTrace);
  expect(lines).toEqual([
    expect.objectContaining({ msg: 'inside', trace_id: callerTrace }),
    expect.objectContaining({
      msg: 'answered',
      trace_id: callerTrace,
      level: 'INFO',
      route: '/v1/things/:id',
      status: 201,
    }),
  ]);
});

test('a request without a trace begins one, whose id is its request id', async () => {
  const answer = await asked((_request, response) => void response.sendStatus(200), '/v1/things/a');
  const id = answer.headers.get('X-Request-Id');
  expect(id).toMatch(/^[0-9a-f]{32}$/);
  expect(lines).toEqual([expect.objectContaining({ level: 'DEBUG', method: 'GET', request_id: id, trace_id: id })]);
});

test.each(['00-0-0-01', 'ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', `${caller}-more`, ''])(
  'what is no traceparent begins a new trace: %p',
  async (traceparent) => {
    const answer = await asked((_, response) => void response.sendStatus(200), '/v1/things/a', {
      headers: { traceparent },
    });
    expect(answer.headers.get('traceresponse')).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(answer.headers.get('traceresponse')).not.toContain(callerTrace);
  },
);

test('the caller names the request, unless the name could do harm in a log', async () => {
  const handler: RequestHandler = (_request, response) => void response.sendStatus(200);
  const named = await asked(handler, '/v1/things/a', { headers: { 'X-Request-Id': 'order-7' } });
  expect(named.headers.get('X-Request-Id')).toBe('order-7');
  const forged = await asked(handler, '/v1/things/a', { headers: { 'X-Request-Id': '<b>{"level"' } });
  expect(forged.headers.get('X-Request-Id')).toMatch(/^[0-9a-f]{32}$/);
});

test('neither tokens nor queries nor bodies are logged', async () => {
  const init = { method: 'POST', body: 'hunter2', headers: { authorization: 'Bearer hunter2' } };
  await asked((_request, response) => void response.sendStatus(401), '/v1/things/a?secret=hunter2', init);
  expect(lines).toHaveLength(1);
  expect(JSON.stringify(lines)).not.toContain('hunter2');
});

test('no context is carried along once all requests are answered', async () => {
  await asked((_request, response) => void response.sendStatus(200), '/v1/things/a', {
    headers: { traceparent: caller },
  });
  await new Promise(setImmediate);
  log.info('after');
  expect(lines.at(-1)).not.toHaveProperty('trace_id');
});

import type { HouseEvent } from '@homeostat/shared';
import { Controller, type INestMicroservice, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, type MicroserviceOptions } from '@nestjs/microservices';
import { pino } from 'pino';
import { v7 as uuidv7 } from 'uuid';
import { HandOnFilter } from './hand-on.filter';
import { InProcessTransport } from './in-process.transport';

const heard: string[] = [];
const logged: { msg: string; err: { message: string }; event_id: string; trace_id: string; span_id: string }[] = [];
let bad: string | null = null;

@Controller()
class FirstEvents {
  @EventPattern(['vm.deleted', 'vm.pooled'])
  async hear({ id }: HouseEvent): Promise<void> {
    await Promise.resolve();
    if (id === bad) throw new Error('not this one');
    heard.push(`first ${id}`);
  }
}

@Controller()
class SecondEvents {
  @EventPattern('vm.deleted')
  hear({ id }: HouseEvent): void {
    heard.push(`second ${id}`);
  }
}

@Module({ controllers: [FirstEvents, SecondEvents] })
class HouseModule {}

let app: INestMicroservice;
let transport: InProcessTransport;

beforeAll(async () => {
  transport = new InProcessTransport(pino({}, { write: (line) => void logged.push(JSON.parse(line)) }));
  app = await NestFactory.createMicroservice<MicroserviceOptions>(HouseModule, { strategy: transport, logger: false });
  await app.useGlobalFilters(new HandOnFilter()).listen();
});

beforeEach(() => {
  heard.length = logged.length = 0;
  bad = null;
});

afterAll(() => app.close());

const [traceId, spanId] = ['0af7651916cd43dd8448eb211c80319c', 'b7ad6b7169203331'];
const event = (type: string) => ({ id: uuidv7(), type, traceparent: `00-${traceId}-${spanId}-00` }) as HouseEvent;

it('calls every handler that asked for a type, in whatever controller', async () => {
  const [deleted, pooled, unwanted] = [event('vm.deleted'), event('vm.pooled'), event('vm.lost')];
  const sent = [deleted, pooled, unwanted];
  expect(await transport.publish(sent)).toEqual(sent.map(({ id }) => id));
  expect(heard.sort()).toEqual([`first ${deleted.id}`, `first ${pooled.id}`, `second ${deleted.id}`].sort());
});

it('leaves an event whose handler fails for later, says why and in which trace, and brings the others', async () => {
  const sent = [event('vm.deleted'), event('vm.deleted'), event('vm.pooled')];
  bad = sent[0]!.id;
  expect(await transport.publish(sent)).toEqual([sent[1]!.id, sent[2]!.id]);
  expect(heard).toContain(`second ${bad}`);
  const trace = { trace_id: traceId, span_id: spanId };
  expect(logged).toMatchObject([{ event_id: bad, ...trace, msg: 'the handler of vm.deleted failed' }]);
  expect(logged[0]!.err.message).toBe('not this one');
});

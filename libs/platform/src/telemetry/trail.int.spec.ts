import type { LookResult } from '@homeostat/reconcile';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { context, trace } from '@opentelemetry/api';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { v7 as uuidv7 } from 'uuid';
import { Database } from '../database/database';
import { PostgresNotebook } from '../database/notebook';
import type { Committed, Tx } from '../database/tx';
import { passing } from './context';
import { inTraceOf } from './handled';
import { contextIn } from './traceparent';

let house: TestDatabase;
let database: Database;
let notebook: PostgresNotebook;
let last: Committed;
const exporter = new InMemorySpanExporter();

beforeAll(async () => {
  house = await testDatabase();
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  context.setGlobalContextManager(passing);
  const options = { url: house.url, role: 'homeostat_deploy', application: 'deploy-svc', connections: 2 };
  database = new Database(options, (what) => (last = what));
  notebook = new PostgresNotebook(database, 'a test');
});
afterAll(async () => {
  trace.disable();
  await database.close();
  await house.close();
});

const traceId = (digit: string): string => digit.repeat(32);
const traceparent = (digit: string, sampled = true): string =>
  `00-${traceId(digit)}-00f067aa0ba902b7-${sampled ? '01' : '00'}`;

/** What a request in that trace does. */
function asked<T>(from: string, work: (tx: Tx) => Promise<T>): Promise<T> {
  return context.with(contextIn(from), () => database.transaction(work));
}

/** Claims what is due, and commits a pass over it. */
async function pass(kind: 'deployments' | 'builds', work: (tx: Tx) => void, what: Partial<LookResult> = {}) {
  const leases = await notebook.claim(kind, 100, 10_000);
  await notebook.transaction(async (tx) => {
    work(tx);
    const result = { outcome: 'acted', step: 'test', because: 'a test', fix: null, dueAt: null, failures: 0 } as const;
    notebook.record(
      tx,
      kind,
      leases.map((lease) => ({ lease, tookMs: 5, ...result, ...what })),
      null,
    );
  });
  return leases;
}

function begin(tx: Tx, deployment: string, build: string): void {
  const data = { build_id: build, deployment_id: deployment, commit: null };
  tx.emit('build.requested', { tenant_id: 'default', subject: build, version: '1', data });
  tx.changed({ tenant_id: 'default', kind: 'builds', key: build, from: null, to: 'queued', because: 'a test' });
  tx.look('builds', build);
}

const traceOfRow = async (key: string): Promise<unknown> =>
  (await house.sql('SELECT traceparent FROM reconcile_status WHERE key = $1', [key]))[0]?.traceparent;
const idIn = (of: string | null | undefined): string | undefined => of?.split('-')[1];

test('every look of a batch goes on with the trace that it was wished for in', async () => {
  const [one, other, build, rebuild] = [uuidv7(), uuidv7(), uuidv7(), uuidv7()];
  await asked(traceparent('a'), async (tx) => tx.look('deployments', one));
  await asked(traceparent('b'), async (tx) => tx.look('deployments', other));
  const leases = await pass('deployments', (tx) => {
    begin(tx, one, build);
    begin(tx, other, rebuild);
  });
  expect(new Map(leases.map((lease) => [lease.key, idIn(lease.traceparent)]))).toEqual(
    new Map([
      [one, traceId('a')],
      [other, traceId('b')],
    ]),
  );
  expect(last.events.map(({ subject, traceparent: of }) => [subject, idIn(of)])).toEqual([
    [build, traceId('a')],
    [rebuild, traceId('b')],
  ]);
  expect(last.changes.map(({ key }) => idIn(last.traceOf(key)))).toEqual([traceId('a'), traceId('b')]);
  expect(await traceOfRow(build)).toContain(traceId('a'));
  const kept = await house.sql<{ traceparent: string }>('SELECT traceparent FROM outbox WHERE subject = $1', [rebuild]);
  expect(kept).toEqual([{ traceparent: last.events[1]!.traceparent }]);
});

test('what a look brings about hangs below its span, and that below what wished for it', async () => {
  const [deployment, build] = [uuidv7(), uuidv7()];
  await asked(traceparent('c'), async (tx) => tx.look('deployments', deployment));
  await pass('deployments', (tx) => begin(tx, deployment, build));
  await inTraceOf(last.events[0]!, async () => undefined);
  const spans = exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId('c'));
  expect(spans.map(({ name }) => name)).toEqual(['look deployments', 'handle build.requested']);
  const [look, handled] = spans;
  expect(look!.parentSpanContext?.spanId).toBe('00f067aa0ba902b7');
  expect(handled!.parentSpanContext?.spanId).toBe(look!.spanContext().spanId);
  expect(look!.attributes).toMatchObject({ 'homeostat.outcome': 'acted', 'homeostat.key': deployment });
});

test('a trace that is not recorded is handed on, without spans', async () => {
  const [deployment, build] = [uuidv7(), uuidv7()];
  await asked(traceparent('d', false), async (tx) => tx.look('deployments', deployment));
  await pass('deployments', (tx) => begin(tx, deployment, build));
  expect(last.events[0]!.traceparent).toMatch(new RegExp(`^00-${traceId('d')}-[0-9a-f]{16}-00$`));
  expect(exporter.getFinishedSpans().map((span) => span.spanContext().traceId)).not.toContain(traceId('d'));
});

test('a look that no trace wished for begins one when it changes something', async () => {
  const [deployment, build] = [uuidv7(), uuidv7()];
  await house.sql(`SELECT request_look('deployments', ARRAY[$1::uuid])`, [deployment]);
  await pass('deployments', (tx) => begin(tx, deployment, build));
  expect(last.events[0]!.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
});

test('a request gives a resource its trace, another pass only where there is none, and rest ends it', async () => {
  const deployment = uuidv7();
  const build = uuidv7();
  await asked(traceparent('e'), async (tx) => tx.look('deployments', deployment));
  await asked(traceparent('f'), async (tx) => tx.look('builds', build));
  await pass('builds', (tx) => tx.look('deployments', deployment));
  expect(await traceOfRow(deployment)).toContain(traceId('e'));
  await asked(traceparent('1'), async (tx) => tx.look('deployments', deployment));
  expect(await traceOfRow(deployment)).toContain(traceId('1'));
  await pass('deployments', () => undefined, { outcome: 'waiting', dueAt: new Date(Date.now() + 60_000) });
  expect(await traceOfRow(deployment)).toContain(traceId('1'));
  await house.sql(`SELECT request_look('deployments', ARRAY[$1::uuid])`, [deployment]);
  await pass('deployments', () => undefined, { outcome: 'settled' });
  expect(await traceOfRow(deployment)).toBeNull();
});

test('a pass that fails says so in its span', async () => {
  const deployment = uuidv7();
  await asked(traceparent('2'), async (tx) => tx.look('deployments', deployment));
  const failing = pass('deployments', (tx) => tx.schedule('builds', uuidv7(), new Date(NaN), 'for ever'));
  await expect(failing).rejects.toThrow(RangeError);
  const look = exporter.getFinishedSpans().find((span) => span.spanContext().traceId === traceId('2'));
  expect(look).toBeDefined();
});

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { services } from '@homeostat/homeostat';
import { type Running, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { trace } from '@opentelemetry/api';
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { parse } from 'yaml';

const POOL = 2;
const exporter = new InMemorySpanExporter();
let database: TestDatabase;
let running: Running;

beforeAll(async () => {
  trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }));
  database = await testDatabase();
  await database.sql(`INSERT INTO region (id, tenant_id, name) VALUES (gen_random_uuid(), 'system', 'local')`);
  running = await serve(services, {
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
    RECONCILER_SIMULATED_LATENCY_MS: '10',
    RECONCILER_VM_POOL_SIZE: String(POOL),
  });
});
afterAll(async () => {
  await running.stop();
  trace.disable();
  await database.close();
});

const traceId = (digit: string): string => digit.repeat(32);
const inTrace = (digit: string): Record<string, string> => ({
  traceparent: `00-${traceId(digit)}-00f067aa0ba902b7-01`,
});

async function call<Body = { id: string }>(
  what: string,
  body?: object,
  headers: Record<string, string> = {},
): Promise<Body> {
  const [method, path] = what.split(' ') as [string, string];
  const type: Record<string, string> = body ? { 'content-type': 'application/json' } : {};
  const init = { method, headers: { ...type, ...headers }, body: body && JSON.stringify(body) };
  const response = await fetch(running.url + path, init);
  if (!response.ok) throw new Error(`${what}: ${response.status} ${await response.text()}`);
  return response.json() as Promise<Body>;
}

const spansOf = (digit: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.spanContext().traceId === traceId(digit));
const names = (digit: string): Set<string> => new Set(spansOf(digit).map(({ name }) => name));

/** A look that is under way for somebody else would serve the claim as well, in its own trace. */
async function poolIsAtRest(): Promise<void> {
  const busy = () =>
    database.sql(
      `SELECT FROM pool WHERE (SELECT count(*) FROM vm WHERE status = 'pooling') < ${POOL}
       UNION ALL SELECT FROM reconcile_status WHERE kind IN ('pool', 'vms') AND (due_at <= now() OR lease_until > now())`,
    );
  while ((await busy()).length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** A deployment that was asked for in trace a, and is ready by a report of its builder in trace b. */
async function deployed(): Promise<string> {
  const project = await call('POST /v1/projects', { name: 'seen' });
  const environment = await call('POST /v1/environments', { project_id: project.id, name: 'production' });
  const asked = { project_id: project.id, environment_id: environment.id };
  const { id } = await call('POST /v1/deployments', asked, inTrace('a'));
  const { build_id: build } = await call<{ build_id: string }>(`GET /v1/deployments/${id}?wait=building`);
  await poolIsAtRest();
  const image = { registry: 'registry.test', repository: 'seen', tag: 'one' };
  await call(`POST /v1/builds/${build}/ready`, { image }, inTrace('b'));
  const { status } = await call<{ status: string }>(`GET /v1/deployments/${id}?wait=ready&timeout=20s`);
  expect(status).toBe('ready');
  return id;
}

test('one trace goes from a call, through events, to the looks that acted, in every service', async () => {
  const id = await deployed();
  expect(names('a')).toEqual(new Set(['POST /v1/deployments', 'transaction', 'look deployments']));
  const [first] = spansOf('a').filter(({ name }) => name === 'look deployments');
  expect(first!.attributes).toMatchObject({ 'homeostat.key': id, 'homeostat.step': 'build' });
  const later = [
    'POST /v1/builds/:id/ready',
    'look deployments',
    'handle vm.claimed',
    'look pool',
    'handle vm.assigned',
  ];
  expect([...names('b')]).toEqual(expect.arrayContaining(later));
  const last = spansOf('b').filter((span) => span.attributes['homeostat.key'] === id);
  expect(last.map((span) => span.attributes['homeostat.step'])).toEqual(['claim', 'ready']);
});

/** The names of the metrics that expressions in PromQL use, without the suffixes of histograms. */
function metricsIn(text: string): string[] {
  const found = text.match(/\b(?:homeostat|workqueue|controller_runtime|http_request|process|nodejs)_[a-z_]+\b/g) ?? [];
  return [...new Set(found.map((name) => name.replace(/_(bucket|sum|count)$/, '')))];
}

const monitoring = join(__dirname, '../../deploy/monitoring');
const read = (file: string): string => readFileSync(join(monitoring, file), 'utf8');

interface Panel {
  readonly title: string;
  readonly panels?: readonly Panel[];
  readonly targets?: readonly { readonly expr: string }[];
}

test('every metric that alerts and the dashboard name is there', async () => {
  const text = await (await fetch(`${running.url}/metrics`)).text();
  const exported = new Set([...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name));
  const { groups } = parse(read('alerts.yml')) as { groups: { rules: { expr: string }[] }[] };
  const { panels } = JSON.parse(read('homeostat.json')) as { panels: Panel[] };
  const shown = panels.flatMap(({ targets = [] }) => targets);
  const used = metricsIn([...groups.flatMap(({ rules }) => rules), ...shown].map(({ expr }) => expr).join('\n'));
  expect(used.length).toBeGreaterThan(15);
  expect(used.filter((name) => !exported.has(name))).toEqual([]);
});

test('metrics tell the states of resources and what is due, without a word about who owns them', async () => {
  const id = (await database.sql<{ id: string }>('SELECT id FROM deployment'))[0]?.id ?? 'none';
  const text = await (await fetch(`${running.url}/metrics`)).text();
  expect(text).toMatch(/^homeostat_resources\{kind="vms",state="\w+"\} \d+$/m);
  expect(text).toMatch(/^workqueue_depth\{name="deployments"\} 0$/m);
  expect(text).toMatch(
    /^http_request_duration_seconds_count\{method="POST",route="\/v1\/deployments",status="201"\} 1$/m,
  );
  expect(text).toMatch(/^homeostat_age_at_state_seconds_count\{kind="deployments",state="ready"\} 1$/m);
  expect(text).toMatch(/^homeostat_database_connections\{service="deploy-svc",state="idle"\} \d+$/m);
  expect(text).not.toContain(id);
  expect(text).not.toContain('default"');
});

test('each alert says what to do, in a place that exists', () => {
  const { groups } = parse(read('alerts.yml')) as {
    groups: { rules: { alert: string; annotations: { runbook_url: string; summary: string } }[] }[];
  };
  const page = readFileSync(join(__dirname, '../../docs/operating.md'), 'utf8');
  const anchors = [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading]) =>
    heading!.toLowerCase().replace(/[^\w]+/g, '-'),
  );
  for (const { annotations } of groups.flatMap(({ rules }) => rules)) {
    const [file, anchor] = annotations.runbook_url.split('#') as [string, string];
    expect(file.endsWith('docs/operating.md')).toBe(true);
    expect(anchors).toContain(anchor);
  }
});

import { type Running, serve } from '@homeostat/platform';
import { type TestDatabase, testDatabase } from '@homeostat/testing';
import { v7 as uuidv7 } from 'uuid';
import { deployService } from './deploy.module';

interface Problem {
  readonly code: string;
  readonly detail: string;
  readonly errors?: readonly { readonly pointer: string; readonly message: string }[];
}

let database: TestDatabase;
let running: Running;
let project_id: string;
let environment_id: string;

beforeAll(async () => {
  database = await testDatabase();
  running = await serve([deployService], {
    RECONCILER_DATABASE_URL: database.url,
    RECONCILER_HTTP_PORT: '0',
    RECONCILER_LOG_LEVEL: 'error',
  });
  project_id = await made('projects', { name: 'web' });
  environment_id = await made('environments', { project_id, name: 'production' });
});

afterAll(async () => {
  await running.stop();
  await database.close();
});

function post(path: string, body: string | Buffer, type = json): Promise<Response> {
  return fetch(`${running.url}/v1/${path}`, { method: 'POST', headers: { 'Content-Type': type }, body });
}

async function made(path: string, body: object): Promise<string> {
  const response = await post(path, JSON.stringify(body));
  expect(response.status).toBe(201);
  expect(response.headers.get('location')).toMatch(`/v1/${path}/`);
  return ((await response.json()) as { id: string }).id;
}

async function refused(path: string, body: string | Buffer, type?: string): Promise<[number, Problem]> {
  const response = await post(path, body, type);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const text = await response.text();
  expect(text).not.toMatch(/SELECT|INSERT|node_modules/);
  return [response.status, JSON.parse(text) as Problem];
}

const deployment = (more: object) => JSON.stringify({ project_id, environment_id, ...more });

const json = 'application/json';
// prettier-ignore
const malformed: [string, string | Buffer, number, string, string][] = [
  ['no JSON', '{"name": ', 400, 'malformed_body', json],
  ['two values', '{} {}', 400, 'malformed_body', json],
  ['a name that is no UTF-8', Buffer.concat([Buffer.from('{"name": "'), Buffer.from([0xc3, 0x28]), Buffer.from('"}')]), 400, 'malformed_body', json],
  ['UTF-16', Buffer.from('{"name": "x"}', 'utf16le'), 400, 'malformed_body', json],
  ['another type', '{"name": "x"}', 415, 'unsupported_media_type', 'text/plain'],
  ['more than 1 MiB', JSON.stringify({ name: 'x'.repeat(1_100_000) }), 413, 'body_too_large', json],
];

test.each(malformed)('a body that is %s is refused', async (_what, body, status, code, type) => {
  expect(await refused('projects', body, type)).toMatchObject([status, { code }]);
});

// prettier-ignore
const faults: [string, string, () => string, string[]][] = [
  ['no name', 'projects', () => '{}', ['/name']],
  ['a body that is a list', 'projects', () => '[]', ['']],
  ['a body that is null', 'projects', () => 'null', ['']],
  ['a name that is a number', 'projects', () => '{"name": 7}', ['/name']],
  ['an empty name', 'projects', () => '{"name": ""}', ['/name']],
  ['a name that is too long', 'projects', () => JSON.stringify({ name: 'x'.repeat(101) }), ['/name']],
  ['a name with a NUL', 'projects', () => '{"name": "a\\u0000b"}', ['/name']],
  ['a name with half a character', 'projects', () => '{"name": "a\\ud800"}', ['/name']],
  ['a name with a line break', 'projects', () => '{"name": "a\\nb"}', ['/name']],
  ['a name with white space at its end', 'projects', () => '{"name": "a "}', ['/name']],
  ['unknown fields', 'projects', () => '{"name": "x", "size": 1, "a/b~c": 2}', ['/size', '/a~1b~0c']],
  ['a project that is no UUID', 'environments', () => '{"project_id": "web", "name": "x"}', ['/project_id']],
  ['nothing of what a deployment needs', 'deployments', () => '{}', ['/project_id', '/environment_id']],
  ['every fault of a deployment at once', 'deployments', () => deployment({ project_id: 1, port: 65_536, commit: '', env: [], size: 1 }),
    ['/project_id', '/port', '/commit', '/env', '/size']],
  ['a port of 0', 'deployments', () => deployment({ port: 0 }), ['/port']],
  ['a port that is a text', 'deployments', () => deployment({ port: '80' }), ['/port']],
  ['a port that is no whole number', 'deployments', () => deployment({ port: 80.5 }), ['/port']],
  ['a commit that is too long', 'deployments', () => deployment({ commit: 'c'.repeat(256) }), ['/commit']],
  ['a variable without a proper name', 'deployments', () => deployment({ env: { '1A': 'x' } }), ['/env/1A']],
  ['a variable that is a number', 'deployments', () => deployment({ env: { A: 1 } }), ['/env/A']],
  ['a variable with a NUL', 'deployments', () => deployment({ env: { A: '\0' } }), ['/env/A']],
  ['a variable that is too long', 'deployments', () => deployment({ env: { A: 'x'.repeat(32_769) } }), ['/env/A']],
  ['too many variables', 'deployments', () => deployment({ env: Object.fromEntries(Array.from({ length: 201 }, (_, at) => [`A${at}`, ''])) }), ['/env']],
  ['an image without its repository', `builds/${uuidv7()}/ready`, () => '{"image": {"registry": "r"}}', ['/image/repository']],
  ['an image with a bad digest', `builds/${uuidv7()}/ready`, () => '{"image": {"registry": "r", "repository": "a", "digest": "latest"}}', ['/image/digest']],
  ['a failure without words', `builds/${uuidv7()}/error`, () => '{"message": ""}', ['/message']],
  ['a builder without a name', `builds/${uuidv7()}/start`, () => '{"builder": null}', ['/builder']],
];

test.each(faults)('%s: the answer names each fault', async (_what, path, body, pointers) => {
  const [status, { code, errors }] = await refused(path, body());
  expect([status, code]).toEqual([400, 'invalid_input']);
  expect(errors!.map(({ pointer }) => pointer).toSorted()).toEqual(pointers.toSorted());
  for (const { message } of errors!) expect(message).not.toBe('');
});

// prettier-ignore
const paths: [string, string, number, string][] = [
  ['an id that is no UUID', 'GET deployments/7', 400, 'invalid_input'],
  ['an id that does not exist', `GET deployments/${uuidv7()}`, 404, 'not_found'],
  ['an unknown filter', 'GET builds?colour=red', 400, 'invalid_input'],
  ['a status to wait for that there is not', `GET builds/${uuidv7()}?wait=done`, 400, 'invalid_input'],
  ['a page that is too long', 'GET deployments?limit=501', 400, 'invalid_input'],
  ['a cursor of another list', 'GET deployments?cursor=abc', 400, 'invalid_input'],
  ['a verb that there is not', `POST deployments/${uuidv7()}/explode`, 404, 'not_found'],
];

test.each(paths)('%s is refused', async (_what, line, status, code) => {
  const [method, path] = line.split(' ') as [string, string];
  const response = await fetch(`${running.url}/v1/${path}`, { method });
  expect([response.status, ((await response.json()) as Problem).code]).toEqual([status, code]);
});

test('names keep every letter that people write', async () => {
  for (const name of ['Zürich', '東京', '🚀', "O'Brien; DROP TABLE project", 'a'.repeat(100)]) {
    const id = await made('projects', { name });
    const response = await fetch(`${running.url}/v1/projects/${id}`);
    expect(await response.json()).toMatchObject({ name });
  }
});

test('nothing that was refused has left a row', async () => {
  expect(await database.sql('SELECT FROM deployment')).toEqual([]);
  expect(await database.sql('SELECT FROM image')).toEqual([]);
});

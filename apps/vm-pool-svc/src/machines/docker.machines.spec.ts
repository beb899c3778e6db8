import { mkdtemp, rm } from 'node:fs/promises';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DockerMachines } from './docker.machines';

const VM = '0199a1b2-0000-7000-8000-000000000001';
const image = { registry: 'registry.example', repository: 'shop', tag: null, digest: null };
const workload = { imageId: VM, port: 8080, env: {} };
const { signal } = new AbortController();

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** An engine that answers as a test wants; what is not said is 404. */
let answers: Record<string, Answer>;
let asked: string[];
let folder: string;
let engine: Server;
let machines: DockerMachines;

beforeEach(async () => {
  [answers, asked] = [{}, []];
  folder = await mkdtemp(join(tmpdir(), 'homeostat-docker-'));
  const socket = join(folder, 'docker.sock');
  engine = createServer((request, response) => {
    const order = `${request.method} ${new URL(request.url!, 'http://docker').pathname.replace('/v1.44', '')}`;
    asked.push(order);
    (answers[order] ?? says(404, { message: 'no such thing' }))(request, response);
  });
  await new Promise<void>((listening) => engine.listen(socket, listening));
  machines = machinesOf(socket);
});

afterEach(async () => {
  await machines.onApplicationShutdown();
  engine.closeAllConnections();
  await new Promise((closed) => engine.close(closed));
  await rm(folder, { recursive: true });
});

function machinesOf(socket: string, row: object | null = image): DockerMachines {
  const database = { query: async () => (row ? [row] : []) as never[] };
  return new DockerMachines(database, { socket, network: 'fleet', subnet: '10.77.0.0/16', image: 'pause:1' });
}

const says =
  (status: number, body?: object): Answer =>
  (_request, response) =>
    void response.writeHead(status).end(body && JSON.stringify(body));
const isAt = (status: string): Answer =>
  says(200, { State: { Status: status }, Config: { Labels: { 'homeostat.address': '10.77.0.2' } } });

const empty = `/containers/fleet-${VM}`;
const own = `${empty}-workload`;
const list = 'GET /containers/json';
const refused = says(500, { message: 'no space left on device' });

test('a socket that is not there is named, with what to do', async () => {
  const away = machinesOf('/nonexistent/docker.sock');
  await expect(away.observe(VM, signal)).rejects.toThrow(
    'the Docker engine at /nonexistent/docker.sock cannot be asked: connect ENOENT /nonexistent/docker.sock; start it, let this user use it, or set RECONCILER_DOCKER_SOCKET',
  );
  await away.onApplicationShutdown();
});

test('a refusal is told in the engine’s words', async () => {
  answers[list] = refused;
  await expect(machines.list(null, 10, signal)).rejects.toThrow(
    'the Docker engine refused GET /containers/json: no space left on device (500)',
  );
});

test('a refusal without end is told in part', async () => {
  answers[list] = says(500, { message: 'x'.repeat(10_000) });
  const error: Error = await machines.list(null, 10, signal).then(fail, (reason: Error) => reason);
  expect(error.message.length).toBeLessThan(600);
});

// prettier-ignore
const faults: [string, Answer, string][] = [
  ['half an answer', (_, response) => void response.writeHead(200, { 'content-length': '100' }).write('[{', () => response.destroy()), 'cannot be asked: '],
  ['no answer at all', (request) => void request.socket.destroy(), 'cannot be asked: '],
  ['an answer that is no JSON', (_, response) => void response.end('<html>'), 'answered what it never should: <html>'],
  ['JSON of another form', says(200, { containers: [] }), 'answered what it never should: {"containers":[]}'],
  ['a refusal that is no JSON', (_, response) => void response.writeHead(502).end('Bad Gateway'), 'answered what it never should: Bad Gateway'],
  ['an answer without end', (_, response) => flood(response), 'it answered more than 67108864 bytes'],
];

test.each(faults)('%s is an error', async (_sentence, answer, message) => {
  answers[list] = answer;
  await expect(machines.list(null, 10, signal)).rejects.toThrow(message);
});

function flood(response: ServerResponse): void {
  const more = (): void => {
    while (!response.destroyed && response.write(Buffer.alloc(1 << 20)));
  };
  response.on('drain', more);
  more();
}

test('an engine that hangs is let go of when the look is over', async () => {
  const look = new AbortController();
  answers[list] = () => look.abort(new Error('the look is over'));
  await expect(machines.list(null, 10, look.signal)).rejects.toThrow('the look is over');
});

test('a container that another replica has just made is found again', async () => {
  answers['GET /images/pause%3A1/json'] = says(200, {});
  answers['GET /networks/fleet'] = says(200, {});
  answers['POST /containers/create'] = says(409, { message: 'the name is already in use' });
  answers[`POST ${empty}/start`] = (_, response) => {
    answers[`GET ${empty}/json`] = isAt('running');
    response.writeHead(304).end();
  };
  expect(await machines.create(VM, 'eu', '10.77.0.2', signal)).toBe('up');
});

test('a network that another replica has just made is found again', async () => {
  answers['GET /images/pause%3A1/json'] = says(200, {});
  answers['POST /networks/create'] = says(409, { message: 'network with name fleet already exists' });
  answers['POST /containers/create'] = refused;
  await expect(machines.create(VM, 'eu', '10.77.0.2', signal)).rejects.toThrow(
    'POST /containers/create: no space left',
  );
});

test('a machine whose removal takes long is not gone yet', async () => {
  answers[`DELETE ${empty}`] = says(409, { message: 'removal is already in progress' });
  answers[`GET ${empty}/json`] = isAt('removing');
  expect(await machines.remove(VM, signal)).toBe('stopped');
});

test('what the engine was told to do counts only once it is seen', async () => {
  answers[`GET ${empty}/json`] = isAt('created');
  answers[`POST ${empty}/start`] = says(204);
  expect(await machines.create(VM, 'eu', '10.77.0.2', signal)).toBe('stopped');
});

test('the empty container makes no way for a workload that cannot be made', async () => {
  answers[`GET ${empty}/json`] = isAt('running');
  answers['GET /images/registry.example%2Fshop%3Alatest/json'] = says(200, {});
  answers['POST /containers/create'] = refused;
  await expect(machines.start(VM, workload, signal)).rejects.toThrow('no space left');
  expect(asked).not.toContain(`POST ${empty}/stop`);
});

test('a workload of a late order, seen after ours was started, does not count as running', async () => {
  answers[`GET ${empty}/json`] = isAt('running');
  answers['GET /images/registry.example%2Fshop%3Alatest/json'] = says(200, {});
  answers['POST /containers/create'] = says(409, { message: 'the name is already in use' });
  answers[`POST ${own}/start`] = (_, response) => {
    answers[`GET ${own}/json`] = isAt('running');
    response.writeHead(304).end();
  };
  expect(await machines.start(VM, workload, signal)).toBe('booting');
});

test('an image that nobody knows any more is named', async () => {
  const forgetful = machinesOf(join(folder, 'docker.sock'), null);
  answers[`GET ${empty}/json`] = isAt('running');
  await expect(forgetful.start(VM, workload, signal)).rejects.toThrow(`image ${VM} is not known any more`);
  await forgetful.onApplicationShutdown();
});

describe('an image that the engine has not', () => {
  const pull = 'POST /images/create';

  test('and that cannot be pulled is named, and tried again in the next look', async () => {
    answers[pull] = (_, response) =>
      void response.end('{"status":"Pulling from shop"}\n{"errorDetail":{},"error":"manifest \\"1\\" unknown"}\n');
    for (let look = 0; look < 2; look += 1) {
      await expect(machines.create(VM, 'eu', '10.77.0.2', signal)).rejects.toThrow(
        'image pause:1 cannot be had: manifest "1" unknown; push it, or load it into the engine',
      );
    }
    expect(asked.filter((order) => order === pull)).toHaveLength(2);
  });

  test('is pulled once, though that outlasts looks', async () => {
    let done: () => void = fail;
    answers[pull] = (_, response) => void (done = () => response.end('{"status":"done"}\n'));
    expect(await machines.create(VM, 'eu', '10.77.0.2', signal)).toBe('booting');
    const second = machines.create(VM, 'eu', '10.77.0.2', signal);
    answers['POST /containers/create'] = answers['POST /networks/create'] = says(201, {});
    answers[`POST ${empty}/start`] = (_, response) => {
      answers[`GET ${empty}/json`] = isAt('running');
      response.writeHead(204).end();
    };
    done();
    expect(await second).toBe('up');
    expect(asked.filter((order) => order === pull)).toHaveLength(1);
  });

  test('holds up no look that is over', async () => {
    const look = new AbortController();
    answers[pull] = () => look.abort(new Error('the look is over'));
    await expect(machines.create(VM, 'eu', '10.77.0.2', look.signal)).rejects.toThrow('the look is over');
  });
});

function fail(): never {
  throw new Error('it should not have come to this');
}

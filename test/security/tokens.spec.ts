import { type Server, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { POOL_ID, REGISTRY_ID, reconciledKinds } from '@homeostat/shared';
import { exportJWK, generateKeyPair } from 'jose';
import { type Ask, SNAPSHOT, settle } from './belongings.mjs';
import { type Documented, documentedAt } from './document';
import { type Signer, confusions, forgeries, issuer, token } from './forgeries';
import { type OpenHouse, openHouse } from './house';

/** The only routes that answer without a token. */
const open = ['/healthz', '/readyz', '/metrics', '/openapi.json', '/docs', '/docs/{file}'].map((path) => `GET ${path}`);
/** Regions, and the directory of records with the names in it, are everybody's to read. */
const everybodys = ['regions', 'registry', 'records', 'name-verifications', 'cids', 'resolve'];
/** What there is one of, for all tenants: only an admin may ask how it is reconciled, and steer it. */
const sole = { pool: POOL_ID, inventory: POOL_ID, registry: REGISTRY_ID };

/** Of kinds whose rows belong, mostly, to the house itself, nobody else is told the next step. */
const systems = ['vms', 'records', 'name-verifications'];

const scopes = ['read', 'write', 'build', 'peer', 'admin'];
const nobodys = '01993f5e-0000-7000-8000-00000000000a';

interface Form {
  readonly settings: Readonly<Record<string, string>>;
  readonly signer: Signer;
  readonly forgeries: Readonly<Record<string, string | undefined>>;
  close(): Promise<void>;
}

async function bySecret(): Promise<Form> {
  // As long as HS512 asks for, so that only the algorithm speaks against it.
  const secret = 'a secret that only a test knows, and of no use elsewhere'.repeat(2);
  const signer = { alg: 'HS256', key: Buffer.from(secret) };
  const longer = { alg: 'HS512', key: signer.key };
  return {
    settings: { RECONCILER_AUTH_SECRET: secret, RECONCILER_AUTH_ISSUER: issuer },
    signer,
    forgeries: { ...(await forgeries(signer)), 'another algorithm': `Bearer ${await token(longer)}` },
    close: async () => undefined,
  };
}

async function byKeys(alg: 'RS256' | 'ES256'): Promise<Form> {
  const { privateKey, publicKey } = await generateKeyPair(alg);
  const keys = [{ ...(await exportJWK(publicKey)), kid: 'one', alg }];
  const server: Server = createServer((_request, response) => response.end(JSON.stringify({ keys })));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const signer = { alg, key: privateKey, kid: 'one' };
  return {
    settings: {
      RECONCILER_AUTH_JWKS_URL: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      RECONCILER_AUTH_ISSUER: issuer,
    },
    signer,
    forgeries: {
      ...(await forgeries(signer)),
      ...(await confusions(publicKey, 'one')),
      'a key that the issuer does not have': `Bearer ${await token({ ...signer, kid: 'two' })}`,
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Answer {
  readonly status: number;
  readonly code: string | undefined;
  readonly type: string | null;
  readonly challenge: string | null;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- answers of every shape
  readonly body: any;
}

describe.each([
  ['a secret', bySecret],
  ['an issuer’s RSA key', () => byKeys('RS256')],
  ['an issuer’s elliptic key', () => byKeys('ES256')],
])('with tokens by %s', (_name, formOf) => {
  let form: Form;
  let house: OpenHouse;
  let routes: Documented[];
  let acmes: Record<string, string>;

  beforeAll(async () => {
    form = await formOf();
    house = await openHouse(form.settings);
    routes = await documentedAt(house.url);
    acmes = await settle(asking(await authorization('read write build')), house.database.sql);
  });

  afterAll(async () => {
    await house?.close();
    await form?.close();
  });

  const authorization = async (scope: string, tenant = 'acme') =>
    `Bearer ${await token(form.signer, { scope, tenant, sub: `somebody of ${tenant}` })}`;

  async function send(method: string, path: string, as: string | undefined, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? {} : { body: JSON.stringify(body) };
    const headers = { ...(as !== undefined && { authorization: as }), 'content-type': 'application/json' };
    const response = await fetch(house.url + path, { method, headers, ...sent });
    const text = await response.text();
    const type = response.headers.get('content-type');
    const answer = /json/.test(type ?? '') ? JSON.parse(text) : undefined;
    const challenge = response.headers.get('www-authenticate');
    return { status: response.status, code: answer?.code, type, challenge, body: answer };
  }

  const asking = (as: string): Ask => {
    return async (what, body) => {
      const [method, path] = what.split(' ') as [string, string];
      const { status, body: answer } = await send(method, path, as, body);
      if (status >= 300) throw new Error(`${what}: ${status} ${JSON.stringify(answer)}`);
      return answer;
    };
  };

  /** The path of a route with these ids in it; the routes of every kind, with each kind. */
  function pathsOf({ path }: Documented, ids: Record<string, string>): { kind: string; path: string }[] {
    const kinds = path.includes('{kind}') ? servedKinds() : [path.split('/')[2]!];
    return kinds.map((kind) => ({
      kind,
      path: path
        .replace('{kind}', kind)
        .replace('{snapshot}', SNAPSHOT)
        .replace(/\{\w+\}/g, ids[kind] ?? nobodys),
    }));
  }

  const servedKinds = () =>
    Object.keys(reconciledKinds).filter(
      (kind) => kind in acmes || kind in sole || routes.some(({ path }) => path === `/v1/${kind}`),
    );

  it('has every route of its router in its OpenAPI document, but for the few that are open', () => {
    const documented = routes.map(({ method, path }) => `${method} ${path}`);
    expect(documented.length).toBeGreaterThan(40);
    expect([...new Set(house.registered)].sort()).toEqual([...documented, ...open].sort());
  });

  it('lets in who has a token with every scope, on every route', async () => {
    const as = await authorization(scopes.join(' '));
    const refused: unknown[] = [];
    for (const { method, path } of routes) {
      const { status } = await send(method, path.replace(/\{\w+\}/g, nobodys), as);
      if (status === 401 || status === 403) refused.push({ method, path, status });
    }
    expect(refused).toEqual([]);
  });

  it('refuses every forgery on every route', async () => {
    const wrong: unknown[] = [];
    for (const { method, path } of routes) {
      for (const [what, as] of Object.entries(form.forgeries)) {
        const { status, code, type, challenge } = await send(method, path.replace(/\{\w+\}/g, nobodys), as);
        const refused =
          status === 401 &&
          code === 'unauthenticated' &&
          type?.startsWith('application/problem+json') &&
          challenge?.startsWith('Bearer ');
        if (!refused) wrong.push({ method, path, what, status, code, challenge });
      }
    }
    expect(wrong).toEqual([]);
  });

  it('takes a token from the header alone', async () => {
    const good = await token(form.signer);
    const { status } = await send('GET', `/v1/projects?access_token=${good}`, undefined);
    const cookie = await fetch(`${house.url}/v1/projects`, { headers: { cookie: `access_token=${good}` } });
    expect([status, cookie.status]).toEqual([401, 401]);
  });

  it('refuses every route to a token with all scopes but those that it needs', async () => {
    for (const { method, path, scopes: wanted } of routes) {
      const others = scopes.filter((scope) => !(wanted as string[]).includes(scope));
      // An admin may read, write and build.
      const granted = wanted.includes('peer') ? others : others.filter((scope) => scope !== 'admin');
      const as = await authorization(granted.join(' '));
      const { status, code, challenge } = await send(method, path.replace(/\{\w+\}/g, nobodys), as);
      expect([method, path, status, code]).toEqual([method, path, 403, 'forbidden']);
      expect(challenge).toBe(`Bearer error="insufficient_scope", scope="${wanted.join(' ')}"`);
    }
  });

  it('knows no id of another tenant on any route', async () => {
    const [owner, other] = [await authorization('read write build'), await authorization('read write build', 'umbra')];
    const mistaken: unknown[] = [];
    for (const route of routes.filter(({ path, scopes: [scope] }) => /\{(?!kind)/.test(path) && scope !== 'admin')) {
      for (const { kind, path } of pathsOf(route, { ...acmes, ...sole })) {
        if (everybodys.includes(kind) && !route.path.includes('{kind}')) continue;
        const { status, code, body } = await send(route.method, path, other, route.body);
        const wanted = kind in sole || (systems.includes(kind) && path.endsWith('/plan')) ? 403 : 404;
        if (status !== wanted) mistaken.push({ method: route.method, path, status, code, body });
        if (route.method !== 'GET' || wanted === 403 || everybodys.includes(kind)) continue;
        const theirs = await send('GET', path, owner);
        if (theirs.status !== 200) mistaken.push({ path, toItsOwner: theirs.status, code: theirs.code });
      }
    }
    expect(mistaken).toEqual([]);
  });

  it('shows nothing of another tenant in any list', async () => {
    const [owner, other] = [await authorization('read'), await authorization('read', 'umbra')];
    const lists = routes.filter(
      ({ method, path, scopes: [scope] }) => method === 'GET' && !path.includes('{') && scope === 'read',
    );
    for (const { path } of lists) {
      const { items: theirs } = (await send('GET', path, owner)).body;
      const { items } = (await send('GET', path, other)).body;
      if (everybodys.some((kind) => path === `/v1/${kind}`) || theirs === undefined) continue;
      expect([path, theirs.length > 0, items]).toEqual([path, true, []]);
    }
  });

  it('takes no reference to what another tenant has', async () => {
    const as = await authorization('write', 'umbra');
    const { projects: project_id, environments: environment_id } = acmes;
    const bodies = {
      '/v1/environments': { project_id, name: 'mine' },
      '/v1/deployments': { project_id, environment_id },
      '/v1/domains': { name: 'umbra.example', project_id },
    };
    for (const [path, body] of Object.entries(bodies))
      expect([path, (await send('POST', path, as, body)).status]).toEqual([path, 422]);
  });

  it('answers without a token where nothing is told of any tenant', async () => {
    for (const route of open) {
      const path = route.replace('GET ', '').replace('{file}', 'start.js');
      const { status, body } = await send('GET', path, undefined);
      expect([path, status]).toEqual([path, 200]);
      expect(JSON.stringify(body ?? '')).not.toMatch(/acme|shop|c0ffee/);
    }
    const metrics = await (await fetch(`${house.url}/metrics`)).text();
    expect(metrics).not.toMatch(/acme|shop\b|c0ffee|[0-9a-f]{8}-[0-9a-f]{4}-/);
  });
});

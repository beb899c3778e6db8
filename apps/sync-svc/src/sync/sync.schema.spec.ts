import { registryCredentials } from './remote/remote-directory.port';
import { newSync } from './sync.schema';

const cid = 'baeareig77vqcdozl2wyk6z3cscaj5q5fggi53aoh64fewkdiri3cdauyn4';
const url = 'https://directory.example.com';
const registry = { remote_registry_address: 'registry.example.com', remote_repository_name: 'team/dir' };
const faultsOf = (body: object) => newSync.safeParse(body).error?.issues.map(({ path }) => `/${path.join('/')}`);

describe('the wish for a sync', () => {
  it.each([
    ['a directory', { remote_directory_url: url }],
    ['a directory under a path, on a port', { remote_directory_url: 'http://[::1]:7084/team-a/' }],
    ['a registry', registry],
    ['both, which must agree', { remote_directory_url: url, ...registry }],
    ['a token for a directory', { remote_directory_url: url, auth: { token: 'abc.def' } }],
    ['a user of a registry', { ...registry, auth: { username: 'me', password: 'Ω {{ @: "' } }],
  ])('may name %s', (_what, body) => {
    expect(faultsOf(body)).toBeUndefined();
  });

  it('names each record once', () => {
    expect(newSync.parse({ remote_directory_url: url, cids: [cid, cid] }).cids).toEqual([cid]);
  });

  it.each([
    ['nothing', {}, '/remote_directory_url'],
    ['a registry without a repository', { remote_registry_address: 'host' }, '/remote_repository_name'],
    ['no record at all', { remote_directory_url: url, cids: [] }, '/cids'],
    ['what is no CID', { remote_directory_url: url, cids: [cid, 'latest'] }, '/cids/1'],
    ['a user in the URL', { remote_directory_url: 'https://user@host' }, '/remote_directory_url'],
    ['a query in the URL', { remote_directory_url: 'https://host/?x=1' }, '/remote_directory_url'],
    ['another scheme', { remote_directory_url: 'file:///etc/passwd' }, '/remote_directory_url'],
    ['a template in the URL', { remote_directory_url: 'https://{{env "HOME"}}' }, '/remote_directory_url'],
    ['a line break in the URL', { remote_directory_url: 'https://host\n' }, '/remote_directory_url'],
    ['a blank in the URL', { remote_directory_url: 'https://a b' }, '/remote_directory_url'],
    ['what only looks like IPv6 in the URL', { remote_directory_url: 'http://[:36aC]/a' }, '/remote_directory_url'],
    ['what only looks like IPv6', { ...registry, remote_registry_address: '[:36aC]:80' }, '/remote_registry_address'],
    ['a template as address', { ...registry, remote_registry_address: '{{env "A"}}' }, '/remote_registry_address'],
    ['a user in the address', { ...registry, remote_registry_address: 'me@host' }, '/remote_registry_address'],
    ['a template as repository', { ...registry, remote_repository_name: '{{.}}' }, '/remote_repository_name'],
    ['a token for a registry', { ...registry, auth: { token: 'a' } }, '/auth'],
    ['a user for a directory', { remote_directory_url: url, auth: { username: 'me', password: '' } }, '/auth'],
    ['a line break in a token', { remote_directory_url: url, auth: { token: 'a\r\nb' } }, '/auth/token'],
    ['a colon in a user', { ...registry, auth: { username: 'a:b', password: '' } }, '/auth/username'],
    ['plain http to a directory’s registry', { remote_directory_url: url, insecure: true }, '/insecure'],
  ])('cannot name %s', (_what, body, pointer) => {
    expect(faultsOf(body)).toEqual([pointer]);
  });
});

describe('the answer of a directory', () => {
  const good = { registry_address: 'registry.example.com:5000', repository_name: 'dir' };

  it('names a registry, and may name a user', () => {
    const basic_auth = { username: 'me', password: 'p@ss {{word}}' };
    expect(registryCredentials.parse({ ...good, basic_auth, unknown: 1 })).toEqual({
      ...good,
      basic_auth,
      insecure: false,
    });
  });

  it.each(['{{env "HOME"}}', 'a b', 'host\n', 'user:secret@host', 'host/path', 'host:99999', 'http://host', ''])(
    'cannot name %j as the registry',
    (registry_address) => expect(registryCredentials.safeParse({ ...good, registry_address }).success).toBe(false),
  );

  it.each(['{{env "HOME"}}', '../dir', 'dir?x', 'a b', 'dir\n', 'Dir', ''])(
    'cannot name %j as the repository',
    (repository_name) => expect(registryCredentials.safeParse({ ...good, repository_name }).success).toBe(false),
  );

  it.each(['a:b', 'a\nb', ''])('cannot name the user %j', (username) => {
    expect(registryCredentials.safeParse({ ...good, basic_auth: { username, password: '' } }).success).toBe(false);
  });
});

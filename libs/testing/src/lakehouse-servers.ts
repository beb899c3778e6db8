import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { type ChildServer, startServer } from './child-server';

/** What lakehouse suites run: Python with moto, pyiceberg and deltalake, and Java with the jars of Iceberg's REST catalog. */
export interface LakehousePrograms {
  readonly python: string;
  readonly moto: string;
  readonly java: string;
  readonly jars: string;
  /** Lets child processes find what they need. */
  readonly path: string;
}

/** Where `test/lakehouse.mjs` puts them. */
export const lakehouseDir = join(homedir(), '.cache', 'homeostat', 'lakehouse');
/** Tables that other engines wrote, as the objects of a bucket, and what they hold (`tables.json`, `expected/`). */
export const lakehouseFixtures = resolve(__dirname, '../../../test/fixtures/lakehouse');
/** The keys that the S3 and Glue of suites know. */
export const lakehouseKeys = { access_key_id: 'suite', secret_access_key: 'suite-secret' };
export const lakehouseBucket = 'warehouse';

const region = 'us-east-1';

/**
 * The programs, given the environment; null where one is missing: then it is said loudly, and the suite is to be skipped. Throws instead where
 * `CI` is set, because a suite that is skipped there would go unnoticed.
 */
export function lakehousePrograms({ PATH = '', CI }: NodeJS.ProcessEnv): LakehousePrograms | null {
  const python = join(lakehouseDir, 'venv/bin/python');
  const java = PATH.split(delimiter)
    .map((folder) => join(folder, 'java'))
    .find((place) => existsSync(place));
  const jars = join(lakehouseDir, 'rest/lib');
  if (java && existsSync(python) && existsSync(jars)) {
    return { python, java, jars, moto: join(lakehouseDir, 'venv/bin/moto_server'), path: PATH };
  }
  const how = `servers of the lakehouse suites are missing: \`node test/lakehouse.mjs\` brings them to ${lakehouseDir}`;
  if (CI) throw new Error(how);
  process.stderr.write(`\n!! SKIPPED: everything with a real S3, Glue or Iceberg REST catalog. The ${how}\n\n`);
  return null;
}

/** Starts S3 and Glue (moto) on one port, empty. */
export function startAws({ moto, path }: LakehousePrograms): Promise<ChildServer> {
  const args = (port: number) => ['-H', '127.0.0.1', '-p', String(port)];
  return startServer({ program: moto, args, env: { PATH: path }, cwd: lakehouseDir });
}

/** Starts Iceberg's own REST catalog, empty, over the bucket of an S3. It checks no login. */
export function startIcebergRest({ java, jars, path }: LakehousePrograms, s3: ChildServer): Promise<ChildServer> {
  const catalog = [
    'catalog-impl=org.apache.iceberg.jdbc.JdbcCatalog',
    ...['uri=jdbc:sqlite::memory:', 'clients=1', 'jdbc.schema-version=V1'],
    `warehouse=s3://${lakehouseBucket}`,
    'io-impl=org.apache.iceberg.aws.s3.S3FileIO',
    ...[`s3.endpoint=${s3.url}`, 's3.path-style-access=true', 'http-client.type=urlconnection'],
  ];
  const main = join(lakehouseFixtures, 'servers/RestServer.java');
  const args = (port: number) => ['-Xmx256m', '-cp', join(jars, '*'), main, String(port), ...catalog];
  return startServer({ program: java, args, env: { PATH: path, ...awsEnvironment() }, cwd: lakehouseDir });
}

/** Puts the tables of the fixtures into the bucket of an S3 (moto takes unsigned requests for S3). */
export async function uploadFixtures(s3: ChildServer): Promise<void> {
  const folder = join(lakehouseFixtures, 'warehouse');
  await put(`${s3.url}/${lakehouseBucket}`, '');
  const files = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    const key = path
      .slice(folder.length + 1)
      .split('/')
      .map(encodeURIComponent)
      .join('/');
    await put(`${s3.url}/${lakehouseBucket}/${key}`, await readFile(path));
  }
}

async function put(url: string, body: Buffer | string): Promise<void> {
  const answer = await fetch(url, { method: 'PUT', body });
  await answer.arrayBuffer();
  if (!answer.ok) throw new Error(`PUT ${url}: ${answer.status}`);
}

/** Registers tables of the fixtures, with the namespaces they need, in a REST catalog; returns the names of those that it refused. */
export async function registerTables(
  rest: ChildServer,
  tables: readonly { readonly name: string; readonly metadata_location: string }[],
): Promise<string[]> {
  const refused: string[] = [];
  for (const { name, metadata_location } of tables) {
    const levels = name.split('.');
    const table = levels.pop()!;
    for (let depth = 1; depth <= levels.length; depth++)
      await post(rest, 'namespaces', { namespace: levels.slice(0, depth) });
    const path = `namespaces/${encodeURIComponent(levels.join('\u001f'))}/register`;
    const status = await post(rest, path, { name: table, 'metadata-location': metadata_location });
    if (status !== 200) refused.push(name);
  }
  return refused;
}

/** Runs a Python program with the writers' libraries and returns what it prints. */
export async function runPython(
  { python, path }: Pick<LakehousePrograms, 'python' | 'path'>,
  program: string,
  args: readonly string[],
): Promise<string> {
  const env = { PATH: path, ...awsEnvironment() };
  const { stdout } = await promisify(execFile)(python, ['-c', program, ...args], { env, maxBuffer: 64 << 20 });
  return stdout;
}

/** What the AWS libraries of child processes read: the keys of suites. */
export function awsEnvironment(): Record<string, string> {
  const { access_key_id: AWS_ACCESS_KEY_ID, secret_access_key: AWS_SECRET_ACCESS_KEY } = lakehouseKeys;
  return { AWS_REGION: region, AWS_DEFAULT_REGION: region, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY };
}

async function post(rest: ChildServer, path: string, body: object): Promise<number> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${rest.url}/v1/${path}`, { method: 'POST', headers, body: JSON.stringify(body) });
  await answer.arrayBuffer();
  return answer.status;
}

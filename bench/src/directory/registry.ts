import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Held, recordOf } from './records';

/** A process that is told how many records to hold, and sends its address. It answers from memory, so that we are what is measured. */
const count = Number(process.argv[2]);
const held = Array.from({ length: count }, (_, n) => recordOf(n));
const tags = held.map(({ cid }) => cid).sort();
const byName = new Map(held.flatMap((one) => [one, one].map((of, at) => [at === 0 ? of.cid : of.digest, of] as const)));
const PAGE = 1_000;
let pulls = 0;

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url!, 'http://registry.invalid');
  const [, , kind, reference = ''] = pathname.split('/').slice(1);
  if (pathname === '/pulls') return void response.end(String(pulls));
  if (kind === 'tags') {
    const page = pageAfter(searchParams.get('last'));
    const link = page.length === PAGE ? { link: `<${pathname}?n=${PAGE}&last=${page.at(-1)}>; rel="next"` } : {};
    return void response.writeHead(200, link).end(JSON.stringify({ name: 'dir', tags: page }));
  }
  // As distribution has it: there is no referrers API.
  const found = kind === 'referrers' ? undefined : byName.get(reference);
  if (!found) return void response.writeHead(404).end('{"errors":[]}');
  pulls += 1;
  response.end(kind === 'blobs' ? found.content : manifestOf(found));
});

function pageAfter(last: string | null): string[] {
  const from = last === null ? 0 : tags.indexOf(last) + 1;
  return tags.slice(from, from + PAGE);
}

function manifestOf({ cid, digest, content }: Held): string {
  const layer = { mediaType: 'application/json', digest, size: Buffer.byteLength(content) };
  const annotations = { 'org.agntcy.dir/cid': cid, 'org.agntcy.dir/type': 'record' };
  return JSON.stringify({ schemaVersion: 2, layers: [layer], annotations });
}

server.listen(0, '127.0.0.1', () => process.send!(`127.0.0.1:${(server.address() as AddressInfo).port}`));
process.once('disconnect', () => process.exit());

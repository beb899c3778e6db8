import { createHash, sign } from 'node:crypto';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const AT_ONCE = 20;

/**
 * Pushes records, each with a signature over its CID and the key that made it, as the directory's clients do; resolves to
 * their CIDs and the digests of their manifests.
 */
export async function publish({ remote, authorization, repository = 'dir' }, records, keys) {
  const { RegistryWriter } = require('../../libs/testing/dist/registry-writer.js');
  const writer = new RegistryWriter(remote.address, repository, authorization);
  const published = [];
  for (let from = 0; from < records.length; from += AT_ONCE) {
    const some = records.slice(from, from + AT_ONCE).map((record) => publishOne(writer, record, keys));
    published.push(...(await Promise.all(some)));
  }
  return published;
}

async function publishOne(writer, record, { privateKey, publicKey }) {
  const { cidOf } = require('../../apps/sync-svc/dist/registry/cid.js');
  const bytes = Buffer.from(JSON.stringify(record));
  const cid = cidOf(`sha256:${createHash('sha256').update(bytes).digest('hex')}`);
  const subject = await writer.push({ bytes, tag: cid });
  const attach = (kind, data) =>
    writer.push({
      ...{ bytes: Buffer.from(JSON.stringify({ record_ref: { cid }, data })), subject },
      mediaType: `application/vnd.agntcy.dir.sign.${kind}`,
    });
  const attached = [
    await attach('signature.v1+json', { signature: sign('sha256', Buffer.from(cid), privateKey).toString('base64') }),
    await attach('publickey.v1+pem', { key: publicKey.export({ type: 'spki', format: 'pem' }) }),
  ];
  await writer.fallback(subject, attached);
  return { cid, digest: subject.digest };
}
